// Package bus_test has a NATS server judge the permissions that package bus makes.
package bus_test

import (
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/bustest"
)

func TestMatrix(t *testing.T) {
	cells := bustest.Cells()
	for _, difference := range differences(t, cells, asIs) {
		t.Error(difference)
	}
	t.Logf("%d cells", len(cells))
	if len(cells) < 500 {
		t.Error("that is too little")
	}
}

// What is wrong in the permissions has to show in the matrix.
func TestMatrixFinds(t *testing.T) {
	tests := []struct {
		name   string
		change func(*server.Permissions)
	}{
		{"nothing denied", denyNothing},
		{"any queue group", allowGroups},
		{"one right too many", func(p *server.Permissions) { p.Publish.Allow = append(p.Publish.Allow, "_INBOX.*.in.>") }},
		{"one right too few", func(p *server.Permissions) { p.Publish.Deny = []string{"xbus.msgbox.carol"} }},
	}
	cells := slices.DeleteFunc(bustest.Cells(), func(c bustest.Cell) bool { return c.Account != "carol" })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if len(differences(t, cells, tt.change)) == 0 {
				t.Error("no cell differs")
			}
		})
	}
}

// differences has a server decide and deliver, and tells each cell of which the matrix says otherwise.
func differences(t *testing.T, cells []bustest.Cell, change func(*server.Permissions)) []string {
	t.Helper()
	addr := serve(t, change)
	return bustest.Differences(cells, dial(t, addr, root).Speaker, func(name bus.Name) *bustest.Speaker { return dial(t, addr, string(name)).Speaker })
}
