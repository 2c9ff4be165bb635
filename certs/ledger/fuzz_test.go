package ledger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/certs/ledger"
)

// FuzzEntries reads anything as a ledger: no panic, and no line passes that the CA did not sign.
func FuzzEntries(f *testing.F) {
	ca := newCA(f, certs.Ed25519)
	path := filepath.Join(f.TempDir(), "root.ledger")
	appendTo(f, path, ca, ledger.Issued(newLeaf(f, ca, "web.example.org")), ledger.Entry{Op: ledger.CRL, Number: 1})
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add(bytes.Replace(sound, []byte("web"), []byte("bew"), 1))
	f.Add([]byte(`{"seq":1,"op":"issue","serial":"01","sig":"AA=="}` + "\n"))
	f.Add([]byte(`{"seq":1,"op":"issue","serial":"01","sig":"` + `,"sig":""}` + "\n"))
	f.Add([]byte("\n\n,\"sig\":\"\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		for _, err := range ledger.Entries(bytes.NewReader(text), ca.Chain[0]) {
			if err != nil {
				break
			}
			n++
		}
		lines := bytes.SplitAfter(text, []byte("\n"))
		if whole := bytes.Join(lines[:n], nil); !bytes.HasPrefix(sound, whole) {
			t.Errorf("%d lines passed, which the CA did not sign: %q", n, whole)
		}
		for _, err := range ledger.Entries(bytes.NewReader(text), nil) {
			if err != nil {
				break
			}
		}
	})
}

// FuzzCRLNumber reads anything as a crlnumber file. What reads has room for more, and is written and read again as the same.
func FuzzCRLNumber(f *testing.F) {
	for _, text := range []string{"1000\n", "01", "00\r\n", "-1", "+1", "0x10", "1_0", "", "3FFFFFFFFFFFFFFF", "4000000000000000", "ff ff", "web"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		number, err := ledger.ParseCRLNumber(text)
		if err != nil {
			return
		}
		again, err := ledger.ParseCRLNumber(fmt.Appendf(nil, "%02X\n", number))
		if err != nil || again != number || number < 0 || number+1 < number {
			t.Errorf("%q is %d, and then %d: %v", text, number, again, err)
		}
	})
}

// FuzzIndex reads anything as an index.txt. What reads is written and read again as the same.
func FuzzIndex(f *testing.F) {
	f.Add("V\t270101000000Z\t\t01\tunknown\t/C=AT/CN=web")
	f.Add("R\t20500101000000Z\t260101000000Z,keyCompromise\tDEADBEEF\tunknown\t/CN=db\r\n")
	f.Add("R\t491231235959Z\t260101000000Z,holdInstruction,holdInstructionReject\t0A\tcert.pem\t/CN=a")
	f.Add("R\t500101000000Z\t260101000000Z,CAkeyTime,20240101000000Z\t00\t\t")
	f.Add("# a comment\n\nE\t700101000000Z\t\t1000\tunknown\t/O=\\xC3\\xA4")
	f.Fuzz(func(t *testing.T, text string) {
		for x, err := range ledger.Index(strings.NewReader(text)) {
			if err != nil {
				return
			}
			if strings.ContainsAny(x.File+x.Subject, "\r\n") {
				continue // a lone carriage return within
			}
			for again, err := range ledger.Index(strings.NewReader(x.String())) {
				if err != nil {
					t.Fatalf("%q: %v", x, err)
				}
				if d := cmp.Diff(x, again); d != "" && x.Reason.Code() < 9 {
					t.Error(d)
				}
			}
		}
	})
}
