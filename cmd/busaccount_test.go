package cmd

import (
	"reflect"
	"strings"
	"testing"

	"keyward/bus"
)

// FuzzAccountFile holds that what a file says of an account is what it is shown as and read back, and that nothing more is taken.
func FuzzAccountFile(f *testing.F) {
	f.Add([]byte(`{"name":"web","identities":["spiffe://example.org/bus/account/web"],"roles":[{"kind":"worker","name":"a","subjects":["x.>"],"stock":true}]}`))
	f.Add([]byte(`{"name":"web","revision":7,"state":"revoked","not_before":"2026-01-01T00:00:00Z","permissions":{"publish":{"allow":[">"]},"subscribe":{"allow":[]}}}`))
	f.Add([]byte(`{"name":"web"} {}`))
	f.Add([]byte(`{"name":"web","role":[]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		page, err := parseAccountPage(text)
		if err != nil {
			return
		}
		before := bus.Account{Name: page.Name, Revision: page.Revision, State: bus.Active}
		account, err := page.over(before)
		if err != nil {
			return
		}
		if account.State != before.State || account.Revision != before.Revision || !account.NotBefore.Equal(before.NotBefore) {
			t.Fatalf("the file changed what is not its: %+v", account)
		}
		if err := account.Validate(); err != nil {
			t.Fatalf("taken, and not valid: %v", err)
		}
		shown, err := plainJSON(pageOf(account), "")
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseAccountPage(shown)
		if err != nil {
			t.Fatalf("shown and not read: %v\n%s", err, shown)
		}
		if !sameAccount(again.Account, account) || !reflect.DeepEqual(*again.Permissions, account.Permissions()) {
			t.Fatalf("read as %+v, and was %+v", again, account)
		}
	})
}

// TestAccountNotValid shows an account from before a rule was there.
func TestAccountNotValid(t *testing.T) {
	a := bus.Account{Name: "old", State: bus.Active, Identities: []string{"spiffe://example.org/bus/account/old"}, Publish: []bus.Pattern{"$SYS.>", ">"}}
	want := `state      active
           it is not valid, and can do nothing: publish: "$SYS.>" is NATS's own (use a subject that begins with neither $ nor _); publish: ">" reaches`
	if text := accountText(a); !strings.Contains(text, want) {
		t.Errorf("%s", text)
	}
}
