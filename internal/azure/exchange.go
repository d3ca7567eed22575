package azure

import "time"

// Exchange is one request and its answer as they went over the wire, secrets
// taken out. It is what staff see of a step that cannot go on, and what
// Microsoft's support asks for.
type Exchange struct {
	Service       Service       `json:"service"`
	Method        string        `json:"method"`
	URL           string        `json:"url"`
	RequestID     string        `json:"request_id"`
	CorrelationID string        `json:"correlation_id"`
	CV            string        `json:"cv,omitempty"`
	Request       Message       `json:"request"`
	Status        int           `json:"status"` // 0 = no answer
	Response      Message       `json:"response"`
	Error         string        `json:"error,omitempty"` // why there is no answer, or what it says
	Started       time.Time     `json:"started"`         // UTC
	Took          time.Duration `json:"took_ns"`
}

// Message is one side of an exchange. Bodies are kept up to 32 KiB.
type Message struct {
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
}

// bodyLimit bounds a recorded body: every documented answer but a long list fits.
const bodyLimit = 32 << 10
