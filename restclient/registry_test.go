package restclient_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/bus"
	"keyward/fault"
	"keyward/keys"
	"keyward/registry"
	"keyward/registry/wire"
	"keyward/restclient"
	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

const adminPassword = "correct horse battery"

// realRegistry serves a registry with the user admin until the test ends.
func realRegistry(t *testing.T, pair keys.Pair) (url string, ca *authority) {
	t.Helper()
	st, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	hash, err := registry.HashPassword(adminPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.AddUser(t.Context(), store.User{Name: "admin", Admin: true, Password: hash, Created: clock}, storetest.Act("test")); err != nil {
		t.Fatal(err)
	}
	server, err := registry.New(registry.Config{Store: st, Key: pair, Project: "licmon", Version: "1.2.3", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ca = newAuthority(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener, tlsConfig(ca.leaf(t, nil))) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "https://" + listener.Addr().String(), ca
}

func newPair(t *testing.T) keys.Pair {
	t.Helper()
	pair, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestRegistry walks the main job through a real registry, in both spellings of Authorization.
func TestRegistry(t *testing.T) {
	for name, altair := range map[string]bool{"standard": false, "Altair": true} {
		t.Run(name, func(t *testing.T) { walk(t, altair) })
	}
}

func walk(t *testing.T, altair bool) {
	ctx := t.Context()
	serverPair, pair := newPair(t), newPair(t)
	url, ca := realRegistry(t, serverPair)
	client := newClient(t, url+"/licmon", restclient.Options{TLS: trusting(ca), AltairAuth: altair})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	serverKey, err := client.ServerKey(ctx)
	must(err)
	if serverKey != serverPair.Public {
		t.Errorf("the server's key is %s, want %s", serverKey, serverPair.Public)
	}
	_, err = client.LoginPassword(ctx, "admin", "hunter2")
	checkFault(t, err, fault.LoginRefused, "login_refused", "")
	admin, err := client.LoginPassword(ctx, "admin", adminPassword)
	must(err)
	if life := admin.Expires.Sub(clock); life <= 0 || life > time.Hour {
		t.Errorf("the token lives for %s", life)
	}

	must(client.AddUser(ctx, admin, wire.NewUser{Name: "user1", Password: "battery staple 1"}))
	checkFault(t, client.AddUser(ctx, admin, wire.NewUser{Name: "user1", Password: "battery staple 1"}), fault.Exists, "exists", "")
	user, err := client.LoginPassword(ctx, "user1", "battery staple 1")
	must(err)
	must(client.AddKey(ctx, user, "user1", wire.NewKey{Key: pair.Public.String(), Description: "Backup key <&>"}))
	checkFault(t, client.AddKey(ctx, user, "user1", wire.NewKey{Key: pair.Public.String(), Description: ""}), fault.Exists, "exists", "")
	checkFault(t, client.AddKey(ctx, user, "user1", wire.NewKey{Key: serverKey.String(), Description: ""}), fault.Policy, "policy", "")
	checkFault(t, client.AddKey(ctx, user, "admin", wire.NewKey{Key: pair.Public.String(), Description: ""}), fault.NotPermitted, "not_permitted", "")

	want := []wire.Key{{User: "user1", Key: pair.Public.String(), Fingerprint: pair.Public.Fingerprint(), Description: "Backup key <&>", Created: clock.Format(time.RFC3339)}}
	own, err := client.Keys(ctx, user, "user1")
	must(err)
	if diff := cmp.Diff(want, own); diff != "" {
		t.Errorf("own keys (-want +got):\n%s", diff)
	}
	all, err := collect(client.AllKeys(ctx, admin))
	must(err)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("all keys (-want +got):\n%s", diff)
	}
	_, err = collect(client.AllKeys(ctx, user))
	checkFault(t, err, fault.NotPermitted, "not_permitted", "")
	users, err := client.Users(ctx, admin)
	must(err)
	if len(users) != 2 {
		t.Errorf("%d users, want 2", len(users))
	}

	byKey, err := client.LoginKey(ctx, "user1", pair, serverKey)
	must(err)
	checkFault(t, client.DeleteKey(ctx, byKey, "user1", pair.Public.Fingerprint()), fault.NotPermitted, "password_needed", "password")
	_, err = client.LoginKey(ctx, "user1", newPair(t), serverKey)
	checkFault(t, err, fault.LoginRefused, "login_refused", "")
	slow := newClient(t, url, restclient.Options{TLS: trusting(ca), Now: func() time.Time { return clock.Add(-10 * time.Minute) }})
	_, err = slow.LoginKey(ctx, "user1", pair, serverKey)
	checkFault(t, err, fault.LoginRefused, "this clock is 10m0s behind the server's", "clock")

	project, err := client.Project(ctx, byKey)
	must(err)
	version, err := client.Version(ctx, byKey)
	must(err)
	if project != "licmon" || version != "1.2.3" {
		t.Errorf("project %q, version %q", project, version)
	}

	must(client.Revoke(ctx, byKey))
	_, err = client.Project(ctx, byKey)
	checkFault(t, err, fault.LoginRefused, "login_refused", "token")
	must(client.SetPassword(ctx, user, "user1", "battery staple 2"))
	user, err = client.LoginPassword(ctx, "user1", "battery staple 2")
	must(err)
	must(client.DeleteKey(ctx, user, "user1", pair.Public.Fingerprint()))
	checkFault(t, client.DeleteKey(ctx, user, "user1", pair.Public.Fingerprint()), fault.NotFound, "not_found", "")
	must(client.DeleteUser(ctx, admin, "user1"))
	checkFault(t, client.DeleteUser(ctx, admin, "user1"), fault.NotFound, "not_found", "")
}

// TestAddressThatIsNoRegistryPath is a registry's own answer to what it does not have.
func TestAddressThatIsNoRegistryPath(t *testing.T) {
	url, ca := realRegistry(t, newPair(t))
	client := newClient(t, url, restclient.Options{TLS: trusting(ca)})
	admin, err := client.LoginPassword(t.Context(), "admin", adminPassword)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Keys(t.Context(), admin, "nobody")
	checkFault(t, err, fault.NotFound, "not_found", "")
	_, err = client.Keys(t.Context(), admin, "a/../b")
	checkFault(t, err, fault.NotFound, "not_found", "")
}

// TestAccounts walks an account of the bus through its life in a real registry.
func TestAccounts(t *testing.T) {
	ctx := t.Context()
	url, ca := realRegistry(t, newPair(t))
	client := newClient(t, url, restclient.Options{TLS: trusting(ca)})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	admin, err := client.LoginPassword(ctx, "admin", adminPassword)
	must(err)

	shop := bus.Account{
		Name: "shop", State: bus.Active, Revision: 1, Identities: []string{"spiffe://example.org/bus/account/shop"},
		Roles: []bus.Role{{Kind: bus.Emitter, Name: "orders"}, {Kind: bus.Service, Name: "echo", Subjects: []bus.Pattern{"echo.>"}}},
	}
	added, err := client.AddAccount(ctx, admin, shop)
	must(err)
	if diff := cmp.Diff(shop, added); diff != "" {
		t.Errorf("added (-want +got):\n%s", diff)
	}
	_, err = client.AddAccount(ctx, admin, bus.Account{Name: "Shop", Identities: []string{"spiffe://example.org/bus/account/Shop"}})
	checkFault(t, err, fault.Exists, "exists", "account list")

	wrong := shop
	wrong.Publish, wrong.Subscribe = []bus.Pattern{"_INBOX.>"}, []bus.Pattern{"$SYS.>"}
	_, err = client.UpdateAccount(ctx, admin, wrong)
	checkFault(t, err, fault.Policy, "publish: ", "")
	if faults, _ := errors.AsType[bus.Faults](err); len(faults) != 2 || faults[1].Field != "subscribe" {
		t.Errorf("the faults of %v are %v", err, faults)
	}
	next := shop
	next.Publish = []bus.Pattern{"news.*"}
	updated, err := client.UpdateAccount(ctx, admin, next)
	must(err)
	next.Revision = 2
	if diff := cmp.Diff(next, updated); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	_, err = client.UpdateAccount(ctx, admin, shop)
	checkFault(t, err, fault.Exists, "changed meanwhile", "look at it again")

	must(client.RevokeAccount(ctx, admin, "shop"))
	_, err = client.UpdateAccount(ctx, admin, bus.Account{Name: "shop", Revision: 3, Identities: shop.Identities})
	checkFault(t, err, fault.Policy, "revoked", "add it again")
	again, err := client.AddAccount(ctx, admin, shop)
	must(err)
	if again.NotBefore.Before(clock) || again.NotBefore.After(clock.Add(time.Second)) {
		t.Errorf("added again, it takes certificates from %s on", again.NotBefore)
	}
	all, err := collect(client.Accounts(ctx, admin))
	must(err)
	if diff := cmp.Diff([]bus.Account{again}, all); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	for _, name := range []bus.Name{"", "..", "a/b", "a b"} {
		_, err := client.Account(ctx, admin, name)
		checkFault(t, err, fault.Policy, "not allowed", "")
		checkFault(t, client.RevokeAccount(ctx, admin, name), fault.Policy, "not allowed", "")
	}
	_, err = client.Account(ctx, admin, "till")
	checkFault(t, err, fault.NotFound, "not_found", "account list")
}
