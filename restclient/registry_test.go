package restclient_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/internal/fault"
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
