package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

// states lists a ledger's certificates as serial and state.
func states(t *testing.T, path string, ca *certs.Issuer, at time.Time) string {
	t.Helper()
	b, err := ledger.Open(path, ca.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var all []string
	for cert, err := range b.Certificates(at) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cert.Serial+" "+string(cert.State))
	}
	return strings.Join(all, ", ")
}

func TestStates(t *testing.T) {
	ca := newCA(t, certs.P256)
	path := filepath.Join(t.TempDir(), "root.ledger")
	end := now.AddDate(0, 3, 0)
	appendTo(t, path, ca,
		ledger.Entry{Op: ledger.Issue, Serial: "01", NotAfter: end},
		ledger.Entry{Op: ledger.Renew, Serial: "02", NotAfter: end.AddDate(0, 3, 0), Replaces: "01"},
		ledger.Entry{Op: ledger.Issue, Serial: "03", NotAfter: end},
		ledger.Entry{Op: ledger.Revoke, Serial: "03", NotAfter: end, Reason: ledger.Hold},
		ledger.Entry{Op: ledger.Issue, Serial: "04", NotAfter: end},
		ledger.Entry{Op: ledger.Revoke, Serial: "04", NotAfter: end, Reason: ledger.Hold},
		ledger.Entry{Op: ledger.Release, Serial: "04"},
		ledger.Entry{Op: ledger.Revoke, Serial: "05", NotAfter: end, Unlisted: true},
	)
	for at, want := range map[time.Time]string{
		now:                   "01 superseded, 02 valid, 03 revoked, 04 valid, 05 revoked",
		end.Add(time.Second):  "01 expired, 02 valid, 03 revoked, 04 expired, 05 revoked",
		end.AddDate(10, 0, 0): "01 expired, 02 expired, 03 revoked, 04 expired, 05 revoked",
	} {
		if got := states(t, path, ca, at); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}

// TestCRLs has numbers grow, and what has ended leave the list once a later one had it.
func TestCRLs(t *testing.T) {
	ca := newCA(t, certs.P256)
	dir := t.TempDir()
	path, out := filepath.Join(dir, "root.ledger"), filepath.Join(dir, "root.crl.pem")
	end := now.AddDate(0, 3, 0)
	appendTo(t, path, ca,
		ledger.Entry{Op: ledger.Revoke, Serial: "0a", NotAfter: end, Reason: "keyCompromise", Unlisted: true},
		ledger.Entry{Op: ledger.Revoke, Serial: "0b", NotAfter: end.AddDate(1, 0, 0), Unlisted: true, Revoked: now.AddDate(-1, 0, 0)},
	)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{now, "1: a 1, b 0"},
		{end.Add(time.Hour), "2: a 1, b 0"}, // the one after its end
		{end.Add(2 * time.Hour), "3: b 0"},
	} {
		list, files, err := ledger.WriteCRL(t.Context(), path, out, ca, nil, c.at, c.at.AddDate(0, 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{out, strings.TrimSuffix(out, "pem") + "der"}, files); d != "" {
			t.Error(d)
		}
		var entries []string
		for _, entry := range list.RevokedCertificateEntries {
			entries = append(entries, fmt.Sprintf("%x %d", entry.SerialNumber, entry.ReasonCode))
		}
		if got := fmt.Sprintf("%v: %s", list.Number, strings.Join(entries, ", ")); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		again, err := ledger.ReadCRL(out, ca.Chain[0])
		if err != nil || again.Number.Cmp(list.Number) != 0 {
			t.Errorf("%v", err)
		}
	}
	if _, err := ledger.ReadCRL(out, newCA(t, certs.P256).Chain[0]); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("another CA's list: %v", err)
	}
}

// TestClockAhead has a list that was made while the clock was ahead not drop what has not ended.
func TestClockAhead(t *testing.T) {
	ca := newCA(t, certs.P256)
	dir := t.TempDir()
	path, out := filepath.Join(dir, "root.ledger"), filepath.Join(dir, "root.crl.pem")
	appendTo(t, path, ca, ledger.Entry{Op: ledger.Revoke, Serial: "0a", NotAfter: now.AddDate(0, 3, 0), Unlisted: true})
	for _, at := range []time.Time{now.AddDate(4, 0, 0), now.AddDate(4, 0, 1), now} {
		list, _, err := ledger.WriteCRL(t.Context(), path, out, ca, nil, at, at.AddDate(0, 1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(list.RevokedCertificateEntries); n != 1 && at.Equal(now) {
			t.Errorf("%d revoked, want 1", n)
		}
	}
}

// TestOldCopy has no list forget what the one in place says, where the ledger is an old copy.
func TestOldCopy(t *testing.T) {
	ca := newCA(t, certs.P256)
	dir := t.TempDir()
	path, out := filepath.Join(dir, "root.ledger"), filepath.Join(dir, "root.crl.pem")
	crl := func() error {
		_, _, err := ledger.WriteCRL(t.Context(), path, out, ca, nil, now, now.AddDate(0, 1, 0))
		return err
	}
	revoke := func(serial string) {
		appendTo(t, path, ca, ledger.Entry{Op: ledger.Revoke, Serial: serial, Reason: ledger.Hold, NotAfter: now.AddDate(0, 3, 0), Unlisted: true})
	}
	check := func(want error, says string) {
		t.Helper()
		list, err := ledger.CRLAt(out, ca.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := ledger.Open(path, ca.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CheckCRL(list, out); !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %v: %s", err, want, says)
		}
	}
	revoke("0a")
	if err := crl(); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := crl(); err != nil {
		t.Fatal(err)
	}
	check(nil, "")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	check(fault.InvalidFile, "root.crl.pem has number 2, and the ledger knows of 1 at most")
	revoke("0b")
	if err := crl(); err != nil { // goes on from the list in place
		t.Fatal(err)
	}
	check(nil, "")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	check(fault.InvalidFile, "does not know that the serial number 0b is revoked")
	if err := crl(); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("it forgot: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(old) {
		t.Errorf("the ledger was written to: %v", err)
	}
	revoke("0b")
	appendTo(t, path, ca, ledger.Entry{Op: ledger.Release, Serial: "0b"}, ledger.Entry{Op: ledger.Release, Serial: "0a"})
	if err := crl(); err != nil {
		t.Errorf("what was released may go: %v", err)
	}
}

// TestOwnSerial has a CA not revoke itself, whichever of its certificates is named.
func TestOwnSerial(t *testing.T) {
	ca := newCA(t, certs.P256)
	path := filepath.Join(t.TempDir(), "root.ledger")
	appendTo(t, path, ca, ledger.Issued(ca.Chain[0]))
	b, err := ledger.Open(path, ca.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for cert, err := range b.Certificates(now) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Revocation(cert, "keyCompromise"); !errors.Is(err, fault.Policy) {
			t.Errorf("%v", err)
		}
	}
}

// TestImportEnds has the end of a certificate not be taken from an index where the ledger or the certificate has it: one
// that is said to be over would leave the list.
func TestImportEnds(t *testing.T) {
	ca := newCA(t, certs.P256)
	path := filepath.Join(t.TempDir(), "root.ledger")
	end := now.AddDate(0, 3, 0)
	appendTo(t, path, ca, ledger.Entry{Op: ledger.Issue, Serial: "0a", NotAfter: end})
	b, err := ledger.Open(path, ca.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	index := "R\t200101000000Z\t191201000000Z\t0A\tunknown\t/CN=a\n" + "R\t200101000000Z\t191201000000Z\t0B\tunknown\t/CN=b\n"
	entries, err := b.Import(strings.NewReader(index), now, func(string) (ledger.Entry, error) { return ledger.Entry{NotAfter: end}, nil })
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries: %v", len(entries), err)
	}
	for _, entry := range entries {
		if !entry.NotAfter.Equal(end) {
			t.Errorf("%s %s ends on %v", entry.Op, entry.Serial, entry.NotAfter)
		}
	}
}

func TestIndex(t *testing.T) {
	for line, says := range map[string]string{
		"V\t270101000000Z\t\t01\tunknown\t/CN=web":                      "",
		"R\t20500101000000Z\t260101000000Z\tFF\tunknown\t/CN=web":       "",
		"E\t000101000000Z\t\t10\tweb.pem\t/C=AT/O=\\xC3\\xA4/CN=x":      "",
		"R\t270101000000Z\t260101000000Z,superseded\t02\tunknown\t/O=a": "",
		"V\t270101000000Z\t\t01\tunknown":                               "5 fields",
		"X\t270101000000Z\t\t01\tunknown\t/CN=web":                      "the status",
		"V\t271301000000Z\t\t01\tunknown\t/CN=web":                      "its end",
		"V\t19000101000000Z\t\t01\tunknown\t/CN=web":                    "its end",
		"V\t270101\t\t01\tunknown\t/CN=web":                             "its end",
		"V\t270101000000Z\t260101000000Z\t01\tunknown\t/CN=web":         "status V with a revocation",
		"R\t270101000000Z\t\t01\tunknown\t/CN=web":                      "status R with a revocation",
		"R\t270101000000Z\tyesterday\t01\tunknown\t/CN=web":             "its revocation",
		"R\t270101000000Z\t260101000000Z,boredom\t01\tunknown\t/CN=web": "unknown reason",
		"V\t270101000000Z\t\txy\tunknown\t/CN=web":                      "the serial number",
	} {
		n := 0
		for x, err := range ledger.Index(strings.NewReader("# comment\n" + line + "\r\n")) {
			n++
			if says == "" && (err != nil || x.String() != line) {
				t.Errorf("%q came out as %q: %v", line, x, err)
			}
			if at, found := errors.AsType[*ledger.Fault](err); says != "" && (!found || at.Line != 2 || !strings.Contains(at.What, says)) {
				t.Errorf("%q: got %v, want %s", line, err, says)
			}
		}
		if n != 1 {
			t.Errorf("%q: %d lines", line, n)
		}
	}
}

func TestParseSerial(t *testing.T) {
	for text, want := range map[string]string{"0x1A": "1a", "5F:3a:09": "5f3a09", "0001": "01", "0": "00", "abc": "0abc", "": "", "0x": "", "web": "", strings.Repeat("f", 82): ""} {
		got, ok := ledger.ParseSerial(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}
