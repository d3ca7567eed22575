package support_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/support"
)

// received is a mail as the mail server got it.
type received struct {
	From  string
	To    []string
	TLS   bool
	User  string
	Hello string
	Data  []byte
}

type behaviour struct {
	TLS      bool   `json:"tls"`
	StartTLS bool   `json:"starttls"`
	Auth     bool   `json:"auth"`
	UTF8     bool   `json:"utf8"`
	Cert     string `json:"cert"`
	Key      string `json:"key"`
}

// mailServer starts a real mail server on loopback: Debian's python3-aiosmtpd, which
// belongs to Debian's Python, not to another one in the path.
// Each call of next gives the next mail that it took.
func mailServer(t *testing.T, b behaviour) (address string, next func() received) {
	t.Helper()
	conf, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/usr/bin/python3", "testdata/mailserver.py", string(conf))
	in, err := c.StdinPipe() // it ends when this pipe does, also if the test program dies
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatalf("mail server: %v", err)
	}
	lines := bufio.NewReader(out)
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, lines)
		if err := c.Wait(); err != nil {
			t.Errorf("mail server: %v\n%s", err, said.String())
		}
	})
	port, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("mail server (apt-get install python3-aiosmtpd): %v\n%s", err, said.String())
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port)), func() received {
		t.Helper()
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the mail server got nothing: %v\n%s", err, said.String())
		}
		var r struct {
			received
			Data string
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.received.Data, err = base64.StdEncoding.DecodeString(r.Data); err != nil {
			t.Fatal(err)
		}
		return r.received
	}
}

// certificate writes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: kder}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// office is a desk with its outbox, on a clock of its own.
type office struct {
	db       *store.DB
	now      time.Time
	queue    *job.Queue
	outbox   *support.Outbox
	desk     *support.Desk
	settings *partner.Settings
}

func newOffice(t *testing.T, db *store.DB, server support.Server) *office {
	t.Helper()
	o := &office{db: db, now: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return o.now }
	log := slog.New(slog.DiscardHandler)
	o.settings = partner.New(db, clock, partner.WithBrand(partner.SeedBrand()))
	o.queue = job.New(db, "test", clock, log)
	o.outbox = support.NewOutbox(db, clock, o.queue, o.settings, server, log)
	o.desk = support.New(db, clock, o.settings, o.outbox, "https://portal.example/")
	return o
}

func (o *office) send(t *testing.T, m support.Message) error {
	t.Helper()
	return o.db.Tx(t.Context(), func(tx *store.Tx) error { return o.outbox.Send(t.Context(), tx, m) })
}

// work does all jobs that are due.
func (o *office) work(t *testing.T) (jobs int) {
	t.Helper()
	for {
		did, err := o.queue.RunOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !did {
			return jobs
		}
		jobs++
	}
}

func (o *office) mails(t *testing.T) []support.Mail {
	t.Helper()
	p, err := o.outbox.Mails(t.Context(), staff, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

var staff = account.Actor{User: "u-support", Role: account.RoleSupport, Name: "Support", Email: "support@partner.example", Address: "192.0.2.7"}

func letter(key, to string) support.Message {
	return support.Message{Key: key, To: to, Name: "Zoë Ångström", Subject: "Grüße aus Zürich: 你好", Text: "Hello,\n\nthis is Zoë's mail.\n", HTML: "<p>this is Zoë's <b>mail</b></p>"}
}

func TestAMailArrivesAsItWasWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		address, next := mailServer(t, behaviour{})
		o := newOffice(t, db, support.Server{Address: address, Hello: "portal.example"})
		m := letter("one", "zoe@contoso.example")
		m.Attachments = []support.Attachment{{Name: "receipt.json", Type: "application/json", Body: bytes.Repeat([]byte(`{"a":"ü"}`), 40)}}
		if err := o.send(t, m); err != nil {
			t.Fatal(err)
		}
		o.work(t)
		got := next()
		if got.From != "cloudintegration@ctl.io" || got.To[0] != "zoe@contoso.example" || got.Hello != "portal.example" || got.TLS {
			t.Errorf("envelope = %+v", got)
		}
		parsed, err := mail.ReadMessage(bytes.NewReader(got.Data))
		if err != nil {
			t.Fatal(err)
		}
		var words mime.WordDecoder
		subject, err := words.DecodeHeader(parsed.Header.Get("Subject"))
		if err != nil || subject != m.Subject {
			t.Errorf("subject = %q, %v", subject, err)
		}
		to, err := parsed.Header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Name != "Zoë Ångström" || to[0].Address != "zoe@contoso.example" {
			t.Errorf("to = %v, %v", to, err)
		}
		from, err := parsed.Header.AddressList("From")
		if err != nil || from[0].Name != "Cloud Application Manager" {
			t.Errorf("from = %v, %v", from, err)
		}
		id := o.mails(t)[0].ID
		if parsed.Header.Get("Message-ID") != "<"+id+"@ctl.io>" || parsed.Header.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("headers = %v", parsed.Header)
		}
		if date, err := parsed.Header.Date(); err != nil || !date.Equal(o.now) {
			t.Errorf("date = %v, %v", date, err)
		}
		for i, line := range bytes.Split(got.Data, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsFunc(line, func(r rune) bool { return r > '~' }) || bytes.ContainsAny(line, "\r\n") {
				t.Errorf("line %d cannot pass every server: %q", i, line)
			}
		}
		parts := leaves(t, parsed.Header.Get("Content-Type"), parsed.Body)
		if parts["text/plain"] != strings.ReplaceAll(m.Text, "\n", "\r\n") || parts["text/html"] != m.HTML || parts["application/json"] != string(m.Attachments[0].Body) {
			t.Errorf("parts = %q", parts)
		}
		if sent := o.mails(t)[0]; sent.State != support.MailSent || !sent.SentAt.Equal(o.now) || sent.Attempt != 1 || sent.Text != m.Text {
			t.Errorf("outbox = %+v", sent)
		}
	})
}

// leaves gives the decoded parts of a mail by media type.
func leaves(t *testing.T, kind string, body io.Reader) map[string]string {
	t.Helper()
	all := map[string]string{}
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(media, "multipart/") {
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatalf("%s: %v after %q", media, err, b)
		}
		all[media] = string(b)
		return all
	}
	r := multipart.NewReader(body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var inner io.Reader = p
		switch p.Header.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			inner = quotedprintable.NewReader(p)
		case "base64":
			inner = base64.NewDecoder(base64.StdEncoding, p)
		}
		for k, v := range leaves(t, p.Header.Get("Content-Type"), inner) {
			all[k] = v
		}
	}
}

func TestAKeyIsSentOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		address, next := mailServer(t, behaviour{})
		o := newOffice(t, db, support.Server{Address: address})
		for range 3 {
			if err := o.send(t, letter("once", "a@contoso.example")); err != nil {
				t.Fatal(err)
			}
			o.work(t)
		}
		if err := o.send(t, letter("other", "b@contoso.example")); err != nil {
			t.Fatal(err)
		}
		o.work(t)
		if first, second := next(), next(); first.To[0] != "a@contoso.example" || second.To[0] != "b@contoso.example" {
			t.Errorf("sent to %v, then %v", first.To, second.To)
		}
	})
}

func TestWhatTheServerSaysDecidesWhatComesNext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		address, next := mailServer(t, behaviour{})
		o := newOffice(t, db, support.Server{Address: address})
		for _, to := range []string{"later", "unknown", "spam", "fine"} {
			if err := o.send(t, letter(to, to+"@contoso.example")); err != nil {
				t.Fatal(err)
			}
		}
		o.work(t)
		state := func(key string) support.Mail {
			for _, m := range o.mails(t) {
				if m.Key == key {
					return m
				}
			}
			t.Fatalf("no mail %s", key)
			return support.Mail{}
		}
		if next().To[0] != "fine@contoso.example" {
			t.Error("the good mail did not arrive first")
		}
		for _, c := range []struct {
			key    string
			state  support.MailState
			answer string
		}{
			{"later", support.MailWaiting, "451"}, {"unknown", support.MailStuck, "550"}, {"spam", support.MailStuck, "554"}, {"fine", support.MailSent, ""},
		} {
			if m := state(c.key); m.State != c.state || !strings.Contains(m.Answer, c.answer) {
				t.Errorf("%s is %s (%s), want %s", c.key, m.State, m.Answer, c.state)
			}
		}
		if n := o.work(t); n != 0 {
			t.Errorf("%d jobs before the time has come", n)
		}
		o.now = o.now.Add(time.Minute)
		o.work(t)
		if m := state("later"); m.State != support.MailSent || m.Attempt != 2 || next().To[0] != "later@contoso.example" {
			t.Errorf("tried again: %+v", m)
		}

		// A person corrects the address and sends again.
		reader := staff
		reader.Role = account.RoleReader
		stuck := state("unknown")
		if err := o.outbox.Retry(t.Context(), reader, stuck.ID, ""); !errors.Is(err, fault.Forbidden) {
			t.Errorf("a reader sends mail: %v", err)
		}
		if err := o.outbox.Retry(t.Context(), staff, stuck.ID, "x@y\r\nz"); !errors.Is(err, fault.Invalid) {
			t.Errorf("a bad address: %v", err)
		}
		if err := o.outbox.Retry(t.Context(), staff, state("fine").ID, ""); !errors.Is(err, fault.Conflict) {
			t.Errorf("a sent mail is sent again: %v", err)
		}
		if err := o.outbox.Retry(t.Context(), staff, stuck.ID, "known@contoso.example"); err != nil {
			t.Fatal(err)
		}
		o.work(t)
		if next().To[0] != "known@contoso.example" || state("unknown").State != support.MailSent {
			t.Error("the corrected mail did not go out")
		}
	})
}

func TestALostAnswerBringsTheSameMailAgain(t *testing.T) {
	address, next := mailServer(t, behaviour{})
	o := newOffice(t, storetest.SQLite(t), support.Server{Address: address})
	if err := o.send(t, letter("lost", "lost@contoso.example")); err != nil {
		t.Fatal(err)
	}
	o.work(t)
	o.now = o.now.Add(time.Minute)
	o.work(t)
	first, second := next(), next()
	if !bytes.Equal(first.Data, second.Data) || !bytes.Contains(first.Data, []byte("Message-ID: <"+o.mails(t)[0].ID)) {
		t.Errorf("the second is another mail:\n%s\n%s", first.Data, second.Data)
	}
	if m := o.mails(t)[0]; m.State != support.MailSent || m.Attempt != 2 {
		t.Errorf("outbox = %+v", m)
	}
}

func TestTheWayToTheServerIsProtected(t *testing.T) {
	cert, key := certificate(t)
	for _, c := range []struct {
		is     string
		server behaviour
		client support.Server
		want   support.MailState
		tls    bool
		user   string
		answer string
	}{
		{"STARTTLS is used when it is offered", behaviour{StartTLS: true}, support.Server{CAFile: cert}, support.MailSent, true, "", ""},
		{"TLS from the first byte", behaviour{TLS: true}, support.Server{CAFile: cert, Security: support.TLS}, support.MailSent, true, "", ""},
		{"sign-in over STARTTLS", behaviour{StartTLS: true, Auth: true}, support.Server{CAFile: cert, User: "causeway", Password: "geheim"}, support.MailSent, true, "causeway", ""},
		{"a wrong password is no fault of the mail", behaviour{StartTLS: true, Auth: true}, support.Server{CAFile: cert, User: "causeway", Password: "falsch"}, support.MailWaiting, false, "", "sign-in as causeway"},
		{"a certificate that nobody knows", behaviour{StartTLS: true}, support.Server{}, support.MailWaiting, false, "", "STARTTLS"},
		{"STARTTLS wanted and not offered", behaviour{}, support.Server{Security: support.StartTLS}, support.MailWaiting, false, "", "does not offer STARTTLS"},
		{"a server that is not there", behaviour{}, support.Server{Address: "127.0.0.1:1"}, support.MailWaiting, false, "", "refused"},
	} {
		t.Run(c.is, func(t *testing.T) {
			if c.server.StartTLS || c.server.TLS {
				c.server.Cert, c.server.Key = cert, key
			}
			address, next := mailServer(t, c.server)
			if c.client.Address == "" {
				c.client.Address = address
			}
			o := newOffice(t, storetest.SQLite(t), c.client)
			if err := o.send(t, letter("one", "a@contoso.example")); err != nil {
				t.Fatal(err)
			}
			o.work(t)
			m := o.mails(t)[0]
			if m.State != c.want || !strings.Contains(m.Answer, c.answer) || strings.Contains(m.Answer, "falsch") {
				t.Fatalf("mail is %s (%s), want %s (%s)", m.State, m.Answer, c.want, c.answer)
			}
			if c.want == support.MailSent {
				if got := next(); got.TLS != c.tls || got.User != c.user {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

func TestAnAddressBeyondASCIINeedsAServerThatTakesIt(t *testing.T) {
	for utf8, want := range map[bool]support.MailState{true: support.MailSent, false: support.MailStuck} {
		address, next := mailServer(t, behaviour{UTF8: utf8})
		o := newOffice(t, storetest.SQLite(t), support.Server{Address: address})
		if err := o.send(t, letter("local", "zoë@contoso.example")); err != nil {
			t.Fatal(err)
		}
		if err := o.send(t, letter("domain", "zoe@bücher.example")); err != nil {
			t.Fatal(err)
		}
		o.work(t)
		got := map[string]support.Mail{}
		for _, m := range o.mails(t) {
			got[m.Key] = m
		}
		if got["local"].State != want || got["domain"].State != support.MailSent {
			t.Errorf("SMTPUTF8 %t: local part %s (%s), domain %s (%s)", utf8, got["local"].State, got["local"].Answer, got["domain"].State, got["domain"].Answer)
		}
		if utf8 {
			if r := next(); r.To[0] != "zoë@contoso.example" {
				t.Errorf("to = %v", r.To)
			}
		}
		if r := next(); r.To[0] != "zoe@xn--bcher-kva.example" {
			t.Errorf("to = %v", r.To)
		}
	}
}

func TestAForgedHeaderIsRefused(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{})
	for _, c := range []struct {
		is     string
		change func(*support.Message)
	}{
		{"a second header in the subject", func(m *support.Message) { m.Subject = "Hello\r\nBcc: x@example.com" }},
		{"a line feed in the subject", func(m *support.Message) { m.Subject = "Hello\nBcc: x@example.com" }},
		{"a second header in the name", func(m *support.Message) { m.Name = "Zoë\r\nBcc: x@example.com" }},
		{"two recipients", func(m *support.Message) { m.To = "a@contoso.example, b@contoso.example" }},
		{"a recipient with a name", func(m *support.Message) { m.To = "Zoë <a@contoso.example>" }},
		{"a recipient with a command", func(m *support.Message) { m.To = "a@contoso.example>\r\nRCPT TO:<b@contoso.example" }},
		{"no recipient", func(m *support.Message) { m.To = "" }},
		{"no text", func(m *support.Message) { m.Text = " \n" }},
		{"an attachment's name with a quote", func(m *support.Message) {
			m.Attachments = []support.Attachment{{Name: "a\"; x=\"b", Type: "text/plain"}}
		}},
	} {
		t.Run(c.is, func(t *testing.T) {
			m := letter("one", "a@contoso.example")
			c.change(&m)
			if err := o.send(t, m); !errors.Is(err, fault.Invalid) {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
	if n := len(o.mails(t)); n != 0 {
		t.Errorf("%d mails were stored", n)
	}
}

func TestMailIsKeptUntilThereIsAServer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		before := newOffice(t, db, support.Server{})
		secret := letter("secret", "a@contoso.example")
		secret.Secret, secret.Text = true, "https://portal.example/sign/token"
		if err := before.send(t, secret); err != nil {
			t.Fatal(err)
		}
		if err := before.outbox.Resume(t.Context()); err != nil || before.work(t) != 0 {
			t.Errorf("without a server a job ran, %v", err)
		}
		if m := before.mails(t)[0]; m.State != support.MailWaiting || m.Text != secret.Text {
			t.Errorf("kept: %+v", m)
		}
		address, next := mailServer(t, behaviour{})
		after := newOffice(t, db, support.Server{Address: address})
		for range 2 { // started twice
			if err := after.outbox.Resume(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		after.work(t)
		if got := next(); !bytes.Contains(got.Data, []byte("/sign/token")) {
			t.Errorf("got %s", got.Data)
		}
		if m := after.mails(t)[0]; m.State != support.MailSent || m.Text != "" || m.HTML != "" || m.Subject == "" {
			t.Errorf("a token stays readable after it was sent: %+v", m)
		}
	})
}

func TestAServerThatNeverTakesItEndsWithAPerson(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{Address: "127.0.0.1:1"})
	if err := o.send(t, letter("one", "a@contoso.example")); err != nil {
		t.Fatal(err)
	}
	o.work(t)
	o.now = o.now.Add(71 * time.Hour)
	o.work(t)
	if m := o.mails(t)[0]; m.State != support.MailWaiting {
		t.Errorf("after 71 h it is %s", m.State)
	}
	o.now = o.now.Add(2 * time.Hour)
	o.work(t)
	if m := o.mails(t)[0]; m.State != support.MailStuck || m.Answer == "" {
		t.Errorf("after 73 h it is %s", m.State)
	}
	if jobs, err := o.queue.Open(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("jobs left = %v, %v", jobs, err)
	}
}

func TestTheServersPasswordIsNotPrinted(t *testing.T) {
	s := support.Server{Address: "mail.example:587", User: "causeway", Password: "geheim"}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "mail", s)
	if strings.Contains(out.String(), "geheim") {
		t.Errorf("the log says %s", out.String())
	}
}
