package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLedgerPage holds that the check in docs/ledger.md is the one that a script runs.
func TestLedgerPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "ledger.md"))
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "script", "ledger_openssl.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	_, check, found := strings.Cut(string(script), "-- check.sh --\n")
	if !found || len(check) < 500 || !strings.Contains(string(page), "```sh\n"+check+"```") {
		t.Error("the check.sh of the script is not the one of the page")
	}
}
