package agreement_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

func signer(t *testing.T) *agreement.Signer {
	t.Helper()
	s, err := agreement.NewSigner()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sample is a receipt with every member, in awkward scripts.
func sample() agreement.Receipt {
	at := time.Date(2026, 11, 20, 15, 0, 0, 123456000, time.FixedZone("EST", -5*3600))
	doc := agreement.Document{ID: "d-1", Kind: agreement.PartnerTerms, Title: "Terms <&> \u2028", Country: "US", Language: "en-US", Version: 7, Hash: strings.Repeat("ab", 32), ValidFrom: at}
	r := agreement.NewReceipt([]agreement.Document{doc}, []agreement.Acceptance{{
		Document: "d-1", Kind: agreement.PartnerTerms, Version: 7, Hash: doc.Hash, User: "u-1", Name: "Zoë 李", Email: "zoe@contoso.example", Login: "ctso-admin", At: at,
		Address: "198.51.100.4", Way: agreement.ByPortal,
	}}, func(d agreement.Document) string { return "https://portal.example/agreements/" + string(d.ID) })
	r.ID, r.Stage, r.MadeAt, r.Partner, r.Product = "r-1", agreement.StageReady, at, "CenturyLink", "Cloud \"App\"\tManager\\ \x01\u007f"
	r.Organization, r.Provider = agreement.ReceiptParty{ID: "o", Name: "שלום Contoso"}, agreement.ReceiptParty{ID: "p", Name: "Contoso analytics"}
	r.Account = agreement.ReceiptAccount{Alias: "CTSE", Name: "Contoso East LLC", LegalName: "Contoso East LLC", Country: "US"}
	r.Eligibility = []agreement.ReceiptAnswer{{Rule: "country", Passed: true, Text: "United States", Exception: "R-1042"}}
	r.Result = &agreement.ReceiptResult{
		TenantID: "t", Domain: "contoso.onmicrosoft.com", SubscriptionID: "s", ReadyAt: at,
		Requests: []agreement.ReceiptRequest{{Step: "customer", RequestID: "q", CorrelationID: "c", At: at}},
		Grants:   []agreement.ReceiptGrant{{Principal: "x", Role: "Owner", Scope: "/subscriptions/s", Intent: "support"}},
	}
	return r
}

func TestAReceiptIsCheckedOffline(t *testing.T) {
	s := signer(t)
	file, err := s.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	for way, trusted := range map[string][]byte{
		"by the public key": s.PublicKey(), "by its fingerprint": []byte("  " + s.Fingerprint() + "\n"),
		"among other keys": append(signer(t).PublicKey(), s.PublicKey()...),
	} {
		got, err := agreement.Verify(file, trusted)
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		want := sample()
		if got.Account != want.Account || got.Organization != want.Organization || got.Product != want.Product || !got.MadeAt.Equal(want.MadeAt) ||
			!reflect.DeepEqual(got.Result.Grants, want.Result.Grants) || got.Acceptances[0].Name != "Zoë 李" || got.Documents[0].FullText != "https://portal.example/agreements/d-1" {
			t.Errorf("%s: read %+v", way, got)
		}
	}
	again, err := s.Sign(sample())
	if err != nil || !bytes.Equal(again, file) {
		t.Error("the same receipt is signed differently")
	}
}

// Every byte is tried with every single bit flipped.
func TestEveryChangedByteFailsAndSaysWhy(t *testing.T) {
	s := signer(t)
	file, err := s.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, trusted := range [][]byte{s.PublicKey(), []byte(s.Fingerprint())} {
		for i := range file {
			for bit := range 8 {
				changed := bytes.Clone(file)
				changed[i] ^= 1 << bit
				if _, err := agreement.Verify(changed, trusted); err == nil || err.Error() == "" {
					t.Fatalf("byte %d, bit %d: %q became %q and nobody noticed", i, bit, file[i], changed[i])
				}
			}
		}
	}
	for is, changed := range map[string][]byte{
		"a byte taken away":          file[:len(file)-1],
		"a blank added":              append(bytes.Clone(file), ' '),
		"a second receipt added":     append(bytes.Clone(file), file...),
		"blanks before":              append([]byte(" "), file...),
		"written prettily":           pretty(t, file),
		"a member given twice":       bytes.Replace(file, []byte(`{"receipt":{`), []byte(`{"receipt":{},"receipt":{`), 1),
		"a member's name in capital": bytes.Replace(file, []byte(`"alias"`), []byte(`"Alias"`), 1),
		"a line feed in base64":      bytes.Replace(file, []byte(`"value":"`), []byte(`"value":"\n`), 1),
		"a member more":              bytes.Replace(file, []byte(`"alias"`), []byte(`"a":1,"alias"`), 1),
		"nothing":                    nil,
		"null":                       []byte("null\n"),
		"too much":                   make([]byte, 2<<20),
	} {
		if bytes.Equal(changed, file) {
			t.Errorf("%s: nothing was changed", is)
		}
		if _, err := agreement.Verify(changed, s.PublicKey()); err == nil {
			t.Errorf("%s: nobody noticed", is)
		}
	}
}

func pretty(t *testing.T, file []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, file, "", " "); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheReasonOfAFailureIsClear(t *testing.T) {
	s := signer(t)
	file, err := s.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		is, old, new string
		trusted      []byte
		says         string
	}{
		{"another account", `"CTSE"`, `"CTSO"`, s.PublicKey(), "changed after it was signed"},
		{"another time", `"2026-11-20T`, `"2026-11-19T`, s.PublicKey(), "changed after it was signed"},
		{"another form", `"causeway-receipt/1"`, `"causeway-receipt/2"`, s.PublicKey(), "causeway-receipt/2"},
		{"broken JSON", `{"receipt"`, `"receipt"`, s.PublicKey(), "damaged"},
		{"another partner's key", `x`, `x`, signer(t).PublicKey(), "not trusted here"},
		{"another fingerprint", `x`, `x`, []byte(signer(t).Fingerprint()), "not trusted here"},
		{"no key", `x`, `x`, nil, "no trusted key"},
		{"a key that is none", `x`, `x`, []byte("hello"), "no trusted key"},
	} {
		_, err := agreement.Verify(bytes.Replace(file, []byte(c.old), []byte(c.new), 1), c.trusted)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want …%s…", c.is, err, c.says)
		}
	}
	// Somebody else's signature under the partner's fingerprint.
	forger := signer(t)
	forged, err := forger.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	forged = bytes.ReplaceAll(forged, []byte(forger.Fingerprint()), []byte(s.Fingerprint()))
	for _, trusted := range [][]byte{s.PublicKey(), []byte(s.Fingerprint())} {
		if _, err := agreement.Verify(forged, trusted); err == nil {
			t.Error("a forged receipt passes")
		}
	}
}

// The check needs nothing of ours: sorted keys, compact separators, and OpenSSL.
func TestAStrangersToolsCheckAReceipt(t *testing.T) {
	s := signer(t)
	file, err := s.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, body := range map[string][]byte{"receipt.json": file, "key.pem": s.PublicKey()} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const script = `
import base64, json
d = json.load(open("receipt.json", encoding="utf-8"))
open("signed", "wb").write(json.dumps(d["receipt"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
open("signature", "wb").write(base64.b64decode(d["signature"]["value"]))`
	for _, c := range []*exec.Cmd{
		exec.Command("/usr/bin/python3", "-c", script),
		exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "signed", "-sigfile", "signature"),
	} {
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c.Path, err, out)
		}
	}
}

func TestTheSigningKeyIsMadeOnceAndPublished(t *testing.T) {
	file := filepath.Join(t.TempDir(), "receipt.key")
	one, err := agreement.LoadSigner(file)
	if err != nil {
		t.Fatal(err)
	}
	two, err := agreement.LoadSigner(file)
	if err != nil || one.Fingerprint() != two.Fingerprint() {
		t.Fatalf("loaded again: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v, %v", info.Mode(), err)
	}
	public, err := os.ReadFile(file + ".pub")
	if err != nil || !bytes.Equal(public, one.PublicKey()) || bytes.Contains(public, []byte("PRIVATE")) {
		t.Errorf("public key = %s, %v", public, err)
	}
	receipt, err := one.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agreement.Verify(receipt, public); err != nil {
		t.Errorf("verify: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".key-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := agreement.LoadSigner(file); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a damaged key file: %v", err)
	}
}

func TestAReceiptIsKeptOncePerStage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r, c := newRegister(t, db)
		keep := func(attempt, stage, body string) agreement.Kept {
			var k agreement.Kept
			err := db.Tx(t.Context(), func(tx *store.Tx) (err error) {
				k, err = r.Keep(t.Context(), tx, agreement.Kept{Org: "contoso", Alias: "CTSE", Attempt: attempt, Stage: stage, Body: []byte(body)})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		first := keep("p-1", agreement.StageTerms, "one")
		c.now = c.now.Add(time.Minute)
		ready := keep("p-1", agreement.StageReady, "two")
		if again := keep("p-1", agreement.StageReady, "three"); again.ID != ready.ID || string(again.Body) != "two" {
			t.Errorf("a second one replaced it: %+v", again)
		}
		list, err := r.Receipts(t.Context(), admin, "p-1")
		if err != nil || len(list) != 2 || list[0].ID != ready.ID || list[1].ID != first.ID {
			t.Errorf("receipts = %+v, %v", list, err)
		}
		if of, err := r.ReceiptsOf(t.Context(), desk, "CTSE"); err != nil || len(of) != 2 {
			t.Errorf("receipts of the account = %d, %v", len(of), err)
		}
		if got, err := r.Receipt(t.Context(), admin, first.ID); err != nil || string(got.Body) != "one" || got.Alias != account.Alias("CTSE") {
			t.Errorf("receipt = %+v, %v", got, err)
		}
		if got, err := r.Receipt(t.Context(), rival, first.ID); err == nil || got.Body != nil {
			t.Errorf("another organization reads it: %+v", got)
		}
		if list, err := r.Receipts(t.Context(), rival, "p-1"); err != nil || len(list) != 0 {
			t.Errorf("another organization lists %d, %v", len(list), err)
		}
	})
}
