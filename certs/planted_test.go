//go:build unix

package certs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/fault"
)

// TestPlantedJournal has another user plant a journal in a shared folder, which would take
// the caller's CA away.
func TestPlantedJournal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make another user's files")
	}
	const stranger = 54321
	f := issueFamily(t, certs.Peer, certs.P256)
	for _, planted := range [][]string{
		{".shared.lock", ".shared.journal", ".shared.1.staged"},
		{".shared.journal", ".shared.1.staged"}, // beside a lock that a killed run of the caller's left
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "ca", f.root, false)
		base := write(t, dir, "shared", f.intermediate, false)
		hidden := map[string]string{
			".shared.lock":     "",
			".shared.journal":  "create\n\"ca.cert.pem\"\n\"ca.key.pem\"\nplace\n",
			".shared.1.staged": "in the way of the second file, so that the first is taken back",
		}
		for name, text := range hidden {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range planted {
			if err := os.Chown(filepath.Join(dir, name), stranger, stranger); err != nil {
				t.Fatal(err)
			}
		}
		before := contents(t, base)
		_, _, load := certs.Load(t.Context(), base)
		_, _, issuer := certs.LoadIssuer(t.Context(), base+".cert.pem", base+".key.pem", nil, true)
		_, rewrite := certs.Write(t.Context(), base, f.intermediate, certs.Placing{Replace: true})
		for _, err := range []error{load, issuer, rewrite} {
			if !errors.Is(err, fault.Policy) || !strings.Contains(err.Error(), planted[0]+" is not yours") {
				t.Errorf("planted %q: %v", planted, err)
			}
		}
		if diff := cmp.Diff(before, contents(t, base)); diff != "" {
			t.Errorf("planted %q: %s", planted, diff)
		}
	}
}
