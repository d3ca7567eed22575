package sim

import (
	"net/http"
	"strconv"
	"time"
)

// pcClassic is Partner Center's usual error body.
type pcClassic struct {
	Code        any      `json:"code"`
	Description string   `json:"description"`
	Data        []string `json:"data"`
	Source      string   `json:"source"`
}

// pcError is the classic error of Partner Center; data often names properties.
func pcError(status, code int, description string, data ...string) reply {
	if data == nil {
		data = []string{}
	}
	return reply{status: status, body: pcClassic{code, description, data, "PartnerFD"}, header: map[string]string{codeHeader: strconv.Itoa(code)}}
}

// pcNewer is the error body of Partner Center's newer services.
type pcNewer struct {
	Code        string            `json:"code"`
	Message     string            `json:"message"`
	Description string            `json:"description"`
	Name        string            `json:"errorName"`
	Retryable   bool              `json:"isRetryable"`
	Parameters  map[string]string `json:"parameters"`
	Extended    string            `json:"errorMessageExtended"`
}

func pcNewError(status, code int, name, message string, parameters map[string]string) reply {
	if parameters == nil {
		parameters = map[string]string{}
	}
	c := strconv.Itoa(code)
	return reply{status: status, header: map[string]string{codeHeader: c},
		body: pcNewer{c, message, message, name, false, parameters, "InternalErrorCode=" + c}}
}

// gatewayError is what the gateway in front of Partner Center says when throttling.
type gatewayError struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
}

// throttleReply is a 429 that asks to wait so many real seconds; below 0 it does not say.
func (c *call) throttleReply(wait int) reply {
	text := "Rate limit is exceeded."
	if wait >= 0 {
		text = "Rate limit is exceeded. Try again in " + strconv.Itoa(wait) + " seconds."
	}
	var r reply
	switch c.route.service {
	case serviceGraph:
		r = c.odataError(http.StatusTooManyRequests, "TooManyRequests", text)
	case serviceARM:
		r = armError(http.StatusTooManyRequests, "TooManyRequests", text)
	default:
		r = reply{status: http.StatusTooManyRequests, body: gatewayError{http.StatusTooManyRequests, text}}
	}
	if wait >= 0 {
		r = r.with("Retry-After", strconv.Itoa(wait))
	}
	return r
}

// armBody is Resource Manager's error body.
type armBody struct {
	Error armFault `json:"error"`
}

type armFault struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Target  string     `json:"target,omitempty"`
	Details []armFault `json:"details,omitempty"`
	More    []armInfo  `json:"additionalInfo,omitempty"`
}

type armInfo struct {
	Type string `json:"type"`
	Info any    `json:"info"`
}

// armError is an error of Resource Manager.
func armError(status int, code, message string) reply {
	return reply{status: status, body: armBody{armFault{Code: code, Message: message}}, header: map[string]string{codeHeader: code}}
}

// odataError is an error of Microsoft Graph.
func (c *call) odataError(status int, code, message string) reply {
	type inner struct {
		Date    string `json:"date"`
		Request string `json:"request-id"`
		Client  string `json:"client-request-id"`
	}
	type fault struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   inner  `json:"innerError"`
	}
	return reply{status: status, header: map[string]string{codeHeader: code}, body: struct {
		Error fault `json:"error"`
	}{fault{code, message, inner{c.now.Format("2006-01-02T15:04:05"), c.log.RequestID, c.log.RequestID}}}}
}

// entraError is an error of the token endpoint.
type entraBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

func (c *call) entraError(status int, kind string, code int, text string) reply {
	trace, correlation := c.s.newID(), or(c.r.Header.Get("client-request-id"), c.log.CorrelationID)
	stamp := c.now.Format("2006-01-02 15:04:05Z")
	n := strconv.Itoa(code)
	return reply{status: status, header: map[string]string{codeHeader: "AADSTS" + n}, body: entraBody{
		Error:         kind,
		Description:   "AADSTS" + n + ": " + text + " Trace ID: " + trace + " Correlation ID: " + correlation + " Timestamp: " + stamp,
		Codes:         []int{code},
		Timestamp:     stamp,
		TraceID:       trace,
		CorrelationID: correlation,
		URI:           c.s.URL + "/error?code=" + n,
	}}
}

// clcError is an error of the billing directory.
func clcError(status int, message string) reply {
	return reply{status: status, body: map[string]string{"message": message}}
}

// codeHeader carries an error's code to the call log; it is not sent.
const codeHeader = "\x00code"

// unknownPath answers a path that the service does not have.
func (c *call) unknownPath(known bool) reply {
	status, text := http.StatusNotFound, "Not found"
	if known {
		status, text = http.StatusMethodNotAllowed, "Method not allowed"
	}
	switch c.route.service {
	case servicePartnerCenter:
		return pcError(status, 1000, text)
	case serviceGraph:
		return c.odataError(status, "BadRequest", "Resource not found for the segment in '"+c.r.URL.Path+"'.")
	case serviceBlob:
		return c.blobError(status, "ResourceNotFound", "The specified resource does not exist.")
	case serviceARM:
		return armError(status, "InvalidResourceType", "The resource type could not be found at '"+c.r.URL.Path+"'.")
	}
	return reply{status: status, raw: []byte(text + "\n"), header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}}
}

// plainFault is the body of an injected server error.
func (c *call) plainFault(f *Fault, otherwise int) reply {
	status := or(f.Status, otherwise)
	if len(f.Body) > 0 {
		return reply{status: status, raw: f.Body}
	}
	message := or(f.Message, statusText(status))
	switch c.route.service {
	case serviceGraph:
		return c.odataError(status, text(f.Code, "generalException"), message)
	case serviceARM:
		return armError(status, text(f.Code, "InternalServerError"), message)
	case serviceEntra:
		return c.entraError(status, "temporarily_unavailable", number(f.Code, 90033), message)
	case serviceCLC:
		return clcError(status, message)
	case serviceBlob:
		return c.blobError(status, text(f.Code, "ServerBusy"), message)
	}
	return pcError(status, number(f.Code, 800003), message)
}

func text(v any, otherwise string) string {
	if s, is := v.(string); is && s != "" {
		return s
	}
	return otherwise
}

func number(v any, otherwise int) int {
	switch n := v.(type) {
	case int:
		return n
	case float64:
		return int(n)
	case string:
		if i, err := strconv.Atoi(n); err == nil {
			return i
		}
	}
	return otherwise
}

// stamp writes an instant as Partner Center does: seven digits and Z.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
