package natsembed

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/bustest"
	"keyward/fault"
)

// TestMatrix has the server decide and deliver, over mutual TLS, what each account's certificate opens.
func TestMatrix(t *testing.T) {
	w := &world{TB: t, root: newCA(t, "root"), log: new(logged)}
	limitless := w.root.leaf()
	w.serveWith(limitless, bustest.Accounts())
	bustest.Matrix(t, w.speak(limitless), func(name bus.Name) *bustest.Speaker { return w.speak(w.root.account(name)) })
}

// still are accounts that do not change. No store has them: it refuses names that differ only in case.
type still map[bus.Name]bus.Account

func (s still) Account(_ context.Context, name bus.Name) (bus.Account, error) {
	if a, ok := s[name]; ok {
		return a, nil
	}
	return bus.Account{}, fault.NotFound
}

func (still) AccountChanges(_ context.Context, since int64, _ int) ([]bus.Account, int64, error) {
	return nil, since, nil
}

// serveWith starts a server of these accounts that lets in one certificate more, which may do everything.
func (w *world) serveWith(limitless tls.Certificate, list []bus.Account) *embedded {
	w.Helper()
	config := w.config()
	accounts := still{}
	for _, a := range list {
		accounts[a.Name] = a
	}
	config.Authorizer.Accounts = accounts
	ready, done := make(chan net.Addr, 1), make(chan error, 1)
	config.Ready = func(addr net.Addr) { ready <- addr }
	config.fill()
	s := &embedded{Config: config, table: newTable(config.MaxPerAccount)}
	ctx, cancel := context.WithCancel(context.Background())
	options, err := s.options(ctx)
	must(w, err)
	options.CustomClientAuthentication = check(func(c server.ClientAuthentication) bool {
		return c.GetTLSConnectionState().PeerCertificates[0].Equal(limitless.Leaf) || s.letIn(ctx, c)
	})
	go func() { done <- s.run(ctx, options) }()
	w.addr = <-ready
	w.stop = sync.OnceFunc(func() {
		cancel()
		must(w, <-done)
	})
	w.Cleanup(w.stop)
	return s
}

// speak connects, and is not let in where the account is revoked.
func (w *world) speak(shown tls.Certificate) *bustest.Speaker {
	w.Helper()
	plain, err := net.Dial("tcp", w.addr.String())
	must(w, err)
	w.Cleanup(func() { plain.Close() })
	plain.SetDeadline(time.Now().Add(5 * time.Minute))
	buffer := make([]byte, 4096)
	_, err = plain.Read(buffer) // INFO
	must(w, err)
	conn := tls.Client(plain, &tls.Config{RootCAs: w.root.pool, Certificates: []tls.Certificate{shown}, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	return bustest.Speak(w, conn, "")
}
