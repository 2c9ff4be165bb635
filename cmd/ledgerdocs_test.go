package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLedgerPages holds that what docs/ledger.md and docs/audit.md have one run is what the scripts run.
func TestLedgerPages(t *testing.T) {
	for script, names := range map[string][]string{
		"ledger_openssl.txtar": {"check.sh"},
		"ledger_stolen.txtar":  {"revoke.sh", "pair.sh", "apply.sh", "lists.sh", "check.sh"},
		"audit_openssl.txtar":  {"check.sh", "head.sh"},
	} {
		name, _, _ := strings.Cut(script, "_")
		page, err := os.ReadFile(filepath.Join("..", "docs", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join("testdata", "script", script))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			_, part, found := strings.Cut(string(text), "-- "+name+" --\n")
			part, _, _ = strings.Cut(part, "\n-- ")
			part = strings.TrimSuffix(part, "\n") + "\n"
			if !found || part == "\n" || !strings.Contains(string(page), "```sh\n"+part+"```") {
				t.Errorf("the %s of %s is not on the page", name, script)
			}
		}
	}
}
