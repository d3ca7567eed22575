package sim

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// blobRoot is where the simulator keeps the blobs of its exports.
const blobRoot = "/billingblobs/"

func (s *Server) registerBlobs() {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		s.on(serviceBlob, method+" "+blobRoot+"{export}/{name}", needsNothing, unlocked, getBlob)
	}
}

// statusWriter remembers the status for the call log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// blobError is an error of Azure Storage: XML, with its code in a header too.
func (c *call) blobError(status int, code, message string) reply {
	type fault struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	text, err := xml.Marshal(fault{Code: code, Message: message + "\nRequestId:" + c.log.RequestID + "\nTime:" + c.now.Format("2006-01-02T15:04:05.0000000Z")})
	if err != nil { // text always marshals
		return empty(status)
	}
	return reply{status: status, raw: append([]byte(xml.Header), text...), header: map[string]string{"Content-Type": "application/xml", "x-ms-error-code": code, codeHeader: code}}
}

// signed checks the SAS: ours, for this export's folder, not expired.
func (c *call) signed(export string) *reply {
	end := c.query("se")
	given, err := base64.RawURLEncoding.DecodeString(c.query("sig"))
	want, _ := base64.RawURLEncoding.DecodeString(c.s.sasSignature(export, end)) // our own encoding
	until, readable := time.Parse("2006-01-02T15:04:05Z", end)
	var r reply
	switch {
	case c.query("sig") == "":
		r = c.blobError(http.StatusNotFound, "ResourceNotFound", "The specified resource does not exist.")
	case err != nil || readable != nil || !hmac.Equal(given, want):
		r = c.blobError(http.StatusForbidden, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.")
	case !c.now.Before(until) || find(c.faults, ExpireSAS) != nil:
		r = c.blobError(http.StatusForbidden, "AuthenticationFailed", "Signature not valid in the specified time frame: Expiry ["+until.Format(time.RFC1123)+"] - Current ["+c.now.Format(time.RFC1123)+"]")
	default:
		return nil
	}
	return &r
}

// getBlob serves a blob as Azure Storage does: with ETag, length and ranges.
func getBlob(c *call) reply {
	id := strings.ToLower(c.param("export"))
	if refusal := c.signed(id); refusal != nil {
		return *refusal
	}
	b := c.s.bill
	b.mu.Lock()
	x := b.exports[id]
	b.mu.Unlock()
	missing := c.blobError(http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
	text, is := strings.CutSuffix(strings.TrimPrefix(c.param("name"), "part-"), ".json.gz")
	n, err := strconv.Atoi(text)
	if x == nil || x.code != "" || !is || err != nil || n < 0 || n >= len(x.parts) || c.param("name") != fmt.Sprintf("part-%05d.json.gz", n) {
		return missing
	}
	f, err := b.blob(x, n)
	if err != nil {
		return c.blobError(http.StatusInternalServerError, "InternalError", err.Error())
	}
	return reply{status: http.StatusOK, serve: func(w http.ResponseWriter, r *http.Request) {
		if err := c.sendBlob(w, r, x, f); err != nil {
			reset(w)
		}
	}}
}

func (c *call) sendBlob(w http.ResponseWriter, r *http.Request, x *export, f *blobFile) error {
	content, err := f.open(c.faults)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Etag", fmt.Sprintf(`"0x8D%014X"`, f.hash[:7]))
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("x-ms-creation-time", x.ready.Format(http.TimeFormat))
	if part := r.Header.Get("X-Ms-Range"); part != "" { // Azure's own clients ask so
		r = r.Clone(r.Context())
		r.Header.Set("Range", part)
	}
	if find(c.faults, CutBlob) != nil {
		size, err := content.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		_, err = content.Seek(0, io.SeekStart)
		if err == nil {
			_, err = io.CopyN(w, content, size/2)
		}
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err == nil {
			err = io.ErrUnexpectedEOF // the reset
		}
		return err
	}
	http.ServeContent(w, r, "", x.ready.Truncate(time.Second), content)
	return nil
}

// nothingToClose is a blob in memory.
type nothingToClose struct{ *bytes.Reader }

func (nothingToClose) Close() error { return nil }

// open is the blob's content with what the faults do to it.
func (f *blobFile) open(hit []Fault) (io.ReadSeekCloser, error) {
	shape := find(hit, DropMembers, RenameMembers, ExtraMembers, StringNumbers, ByteOrderMark)
	broken := find(hit, TruncateBlob, CorruptBlob)
	if shape == nil && broken == nil {
		return os.Open(f.name)
	}
	content, err := os.ReadFile(f.name)
	if err != nil {
		return nil, err
	}
	if shape != nil {
		if content, err = drift(content, hit); err != nil {
			return nil, err
		}
	}
	switch middle := len(content) / 2; {
	case broken == nil:
	case broken.Kind == TruncateBlob:
		content = content[:middle]
	default:
		for i := middle; i < min(middle+64, len(content)); i++ {
			content[i] ^= 0x5a
		}
	}
	return nothingToClose{bytes.NewReader(content)}, nil
}

// drift changes the records of a blob as a new version of the schema would.
func drift(content []byte, hit []Fault) ([]byte, error) {
	in, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	mark := find(hit, ByteOrderMark) != nil
	var rest []Fault
	for _, x := range hit {
		if x.Kind != ByteOrderMark {
			rest = append(rest, x)
		}
	}
	if mark {
		_, _ = z.Write(bom) // into memory
	}
	for line := range bytes.Lines(text) {
		_, _ = z.Write(append(reshape(bytes.TrimSuffix(line, []byte("\n")), rest), '\n')) // into memory
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
