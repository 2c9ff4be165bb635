package bus_test

import (
	"strings"
	"testing"

	"keyward/bus"
	"keyward/bus/bustest"
)

func TestMatrix(t *testing.T) {
	accounts := map[bus.Name]bus.Account{}
	for _, a := range bustest.Accounts() {
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		accounts[a.Name] = a
	}
	cells := bustest.Cells()
	counts := map[bus.Decision]int{}
	for _, cell := range cells {
		counts[cell.Want]++
		got, err := bus.Explain(accounts[cell.Account], cell.Verb, strings.TrimSpace(cell.Subject+" "+cell.Queue))
		if err != nil || got.Decision != cell.Want || got.Reason == "" {
			t.Errorf("%s: %s %q %q: %+v, %v; the model says %s", cell.Account, cell.Verb, cell.Subject, cell.Queue, got, err, cell.Want)
		}
	}
	t.Logf("%d cells: %v", len(cells), counts)
	if len(cells) < 500 || counts[bus.Allowed] < 100 || counts[bus.Filtered] < 5 {
		t.Errorf("the matrix is too small: %d cells, %v", len(cells), counts)
	}
}
