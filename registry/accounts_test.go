package registry

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/bus"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/storetest"
)

func newAccount(name string) wire.NewAccount {
	return wire.NewAccount{Name: bus.Name(name), Identities: []string{"spiffe://example.org/bus/account/" + name}}
}

// TestAccountRecords sees what the audit log tells of accounts.
func TestAccountRecords(t *testing.T) {
	h := start(t)
	admin := h.tokenOf("admin")
	shop := newAccount("shop")
	shop.Roles = []bus.Role{{Kind: bus.Emitter, Name: "orders"}, {Kind: bus.Worker, Name: "mail", Subjects: []bus.Pattern{"m.>", "n"}, Stock: true}}
	shop.Publish, shop.Subscribe = []bus.Pattern{"a.*", "b"}, []bus.Pattern{"rates.>"}
	for _, q := range []request{
		{method: "POST", path: wire.PathAccounts, json: shop},
		{method: "POST", path: wire.PathAccounts, json: shop},
		{method: "PUT", path: wire.AccountPath("shop"), json: wire.AccountChange{Revision: 1, Identities: shop.Identities}},
		{method: "PUT", path: wire.AccountPath("shop"), json: wire.AccountChange{Revision: 1, Identities: shop.Identities}},
		{method: "DELETE", path: wire.AccountPath("shop")},
		{method: "DELETE", path: wire.AccountPath("till")},
	} {
		q.token = admin
		h.do(q)
	}
	var acts []audit.Act
	chain := audit.Chain{Keys: []ed25519.PublicKey{storetest.Signer().Public()}}
	for r, err := range h.cfg.Store.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		act, err := chain.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		if act.What.Is("account") {
			act.Request = ""
			acts = append(acts, act)
		}
	}
	act := func(what audit.What, note string) audit.Act {
		return audit.Act{Time: h.clock.Now(), What: what, By: "admin", Account: "shop", From: "127.0.0.1", Note: note}
	}
	want := []audit.Act{
		act(audit.AccountAdded, "spiffe://example.org/bus/account/shop, emitter orders, worker mail=m.>,n with stock replies, publish a.*,b, subscribe rates.>"),
		act(audit.AccountUpdated, "spiffe://example.org/bus/account/shop"),
		act(audit.AccountRevoked, ""),
	}
	if diff := cmp.Diff(want, acts); diff != "" {
		t.Error(diff)
	}
}

// TestAccountList lists more accounts than are read at a time.
func TestAccountList(t *testing.T) {
	h := start(t)
	for _, accounts := range []int{0, accountPage, accountPage + 1} {
		var want []string
		for n := range accounts {
			in := newAccount(fmt.Sprint("account", n))
			_, err := h.cfg.Store.AddAccount(t.Context(), bus.Account{Name: in.Name, Identities: in.Identities}, storetest.Act("test"))
			if err = instead(err, store.ErrExists, nil); err != nil {
				t.Fatal(err)
			}
			want = append(want, string(in.Name))
		}
		slices.Sort(want)
		a := h.do(request{method: "GET", path: wire.PathAccounts, token: h.tokenOf("admin")})
		var list wire.Accounts
		if err := json.Unmarshal(a.body, &list); err != nil || list.Accounts == nil {
			t.Fatalf("%.200s: %v", a.body, err)
		}
		var got []string
		for _, one := range list.Accounts {
			got = append(got, string(one.Name))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d accounts: %s", accounts, diff)
		}
	}
}

// TestLargestAccount has the largest account that there may be, which a request can hold, and one that is larger.
func TestLargestAccount(t *testing.T) {
	h := start(t)
	admin := h.tokenOf("admin")
	in := newAccount("shop")
	as := func() bus.Account {
		return bus.Account{Name: in.Name, Roles: in.Roles, Publish: in.Publish, Identities: in.Identities, State: bus.Active}
	}
	for n := 0; store.ValidAccount(as()) == nil; n++ {
		role := bus.Role{Kind: bus.Consumer, Name: bus.Name(fmt.Sprint("r", n))}
		for p := range 8 {
			role.Subjects = append(role.Subjects, bus.Pattern(fmt.Sprint("a", n, ".b", p, ".", strings.Repeat("x", 230), ".>")))
		}
		in.Roles = append(in.Roles, role)
	}
	post := request{method: "POST", path: wire.PathAccounts, token: admin, json: in}
	if a := h.do(post); a.status != 422 || a.code() != wire.CodePolicy {
		t.Errorf("too large: %d %s", a.status, a.body)
	}
	in.Roles = in.Roles[:len(in.Roles)-1]
	for store.ValidAccount(as()) == nil {
		in.Publish = append(in.Publish, bus.Pattern(fmt.Sprint("p", len(in.Publish))))
	}
	in.Publish = in.Publish[:len(in.Publish)-1]
	post.json = in
	if a := h.do(post); a.status != 201 {
		t.Errorf("the largest: %d %.200s", a.status, a.body)
	}
	body, err := json.Marshal(in)
	if err != nil || len(body) < store.MaxAccount*9/10 {
		t.Errorf("the largest account has %d bytes, %v", len(body), err)
	}
}

// TestAccountFaults has all faults of an account in one answer.
func TestAccountFaults(t *testing.T) {
	h := start(t)
	in := newAccount("shop")
	in.Publish, in.Roles = []bus.Pattern{">", "_INBOX.>"}, []bus.Role{{Kind: "spy", Name: "a.b"}}
	a := h.do(request{method: "POST", path: wire.PathAccounts, token: h.tokenOf("admin"), json: in})
	var e wire.Error
	if err := json.Unmarshal(a.body, &e); err != nil || a.status != 422 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	want := bus.Account{Name: "shop", Publish: in.Publish, Roles: in.Roles, Identities: in.Identities, State: bus.Active}.Validate()
	if got := bus.Faults(e.Faults).Error(); len(e.Faults) != 4 || got != want.Error() {
		t.Errorf("%d faults:\n%s\nwant:\n%s", len(e.Faults), got, want)
	}
}
