package natsauth_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
)

func TestService(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob")
	w.authorize(0)
	alice := w.root.account("alice")
	c := w.mustConnect(0, alice)
	if err := c.Publish("xbus.msgbox.alice", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.store.change("alice", revoke)
	c.ended(t)
	t.Logf("disconnected %s after the revocation", time.Since(began).Round(time.Millisecond))
	if _, err := w.connect(0, alice); err == nil {
		t.Error("a revoked account is let in")
	}
}

var _ = []any{x509.ErrUnsupportedAlgorithm, strings.Contains, nats.Connect, bus.Active}
