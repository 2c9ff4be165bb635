package natsauth_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"keyward/bus"
	"keyward/bus/bustest"
)

// TestMatrix has a server that asks an authorizer decide and deliver, over mutual TLS, what each account's certificate opens.
func TestMatrix(t *testing.T) {
	w := newWorld(t, 1)
	for _, a := range bustest.Accounts() {
		w.store.set(a)
	}
	w.authorize(0)
	sender := w.speak(w.root.leaf("root"), `,"user":"root","pass":"root"`)
	bustest.Matrix(t, sender, func(name bus.Name) *bustest.Speaker { return w.speak(w.root.account(name), "") })
}

// withRoot adds to a configuration a user that may do everything on the bus.
func withRoot(text string) string {
	text = strings.Replace(text, "  BUS {}", `  BUS { users: [{ user: root, password: root }] }`, 1)
	return strings.Replace(text, "auth_users: [", "auth_users: [root, ", 1)
}

// speak connects, and is not let in where the account is revoked.
func (w *world) speak(shown tls.Certificate, login string) *bustest.Speaker {
	w.t.Helper()
	plain, err := net.Dial("tcp", w.servers[0].Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { plain.Close() })
	plain.SetDeadline(time.Now().Add(5 * time.Minute))
	if _, err = plain.Read(make([]byte, 4096)); err != nil { // INFO
		w.t.Fatal(err)
	}
	config := w.tls(shown)
	config.ServerName = "127.0.0.1"
	return bustest.Speak(w.t, tls.Client(plain, config), login)
}
