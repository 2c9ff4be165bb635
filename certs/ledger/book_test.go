package ledger_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/internal/fault"
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
		list, files, err := ledger.WriteCRL(t.Context(), path, out, ca, c.at, c.at.AddDate(0, 1, 0))
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

func TestIndex(t *testing.T) {
	for line, says := range map[string]string{
		"V\t270101000000Z\t\t01\tunknown\t/CN=web":                      "",
		"R\t20500101000000Z\t260101000000Z\tFF\tunknown\t/CN=web":       "",
		"E\t000101000000Z\t\t10\tweb.pem\t/C=AT/O=\\xC3\\xA4/CN=x":      "",
		"R\t270101000000Z\t260101000000Z,superseded\t02\tunknown\t/O=a": "",
		"V\t270101000000Z\t\t01\tunknown":                               "5 fields",
		"X\t270101000000Z\t\t01\tunknown\t/CN=web":                      "the status",
		"V\t271301000000Z\t\t01\tunknown\t/CN=web":                      "its end",
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
