package registry

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/sqlstore"
)

const (
	benchUsers = 1000
	benchConns = 32 // a core
)

// BenchmarkBareTLS is what the others are held against: net/http over TLS that answers
// a fixed JSON body, with the same requests from the same client.
func BenchmarkBareTLS(b *testing.B) {
	_, _, bodies := benchRegistry(b)
	const answer = `{"access_token":"0123456789012345678901234567890123456789012","token_type":"Bearer","expires_in":900}`
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	})
	post(b, handler, nil, bodies)
}

// BenchmarkKeyLogin is a login with a key: checked, remembered and its token stored, both synced.
func BenchmarkKeyLogin(b *testing.B) {
	s, _, bodies := benchRegistry(b)
	post(b, nil, s, bodies)
}

// benchRegistry makes a registry of benchUsers with a key each, and the forms of b.N logins.
func benchRegistry(b *testing.B) (*Server, store.Store, []string) {
	b.Helper()
	dir := b.TempDir()
	st, err := sqlstore.Open(b.Context(), filepath.Join(dir, "registry.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { log.Close() })
	s, err := New(Config{Store: st, Key: newPair(b), Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		b.Fatal(err)
	}
	shared := make([]*keys.SharedKey, benchUsers)
	for i := range shared {
		user := fmt.Sprint("user", i)
		if err := st.AddUser(b.Context(), store.User{Name: user, Password: "x"}); err != nil {
			b.Fatal(err)
		}
		public := newPair(b).Public
		if err := st.AddKey(b.Context(), store.Key{User: user, Public: public}); err != nil {
			b.Fatal(err)
		}
		shared[i], err = s.shared.get(s.key, public)
		if err != nil {
			b.Fatal(err)
		}
	}
	bodies := make([]string, b.N)
	for i := range bodies {
		var nonce [24]byte
		rand.Read(nonce[:])
		message := fmt.Appendf(nil, "VOV API Key Client Auth %f", float64(time.Now().UnixMicro())/1e6)
		apikey := box.SealAfterPrecomputation(nonce[:], message, &nonce, (*[32]byte)(shared[i%benchUsers]))
		bodies[i] = keyForm(fmt.Sprint("user", i%benchUsers), keys.EncodeString(apikey)).Encode()
	}
	return s, st, bodies
}

// post sends the bodies to a handler or a Server, over kept connections.
func post(b *testing.B, handler http.Handler, s *Server, bodies []string) {
	b.Helper()
	cert := newCertificate(b)
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	if s != nil {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { ended <- s.Serve(ctx, l, config) }()
		defer func() { cancel(); <-ended }()
	} else {
		srv := &http.Server{Handler: handler, TLSConfig: config}
		go func() { ended <- srv.ServeTLS(l, "", "") }()
		defer func() { srv.Close(); <-ended }()
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)

	var next atomic.Int64
	b.SetParallelism(benchConns)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots})
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		var out []byte
		for pb.Next() {
			body := bodies[next.Add(1)-1]
			out = fmt.Appendf(out[:0], "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
				wire.PathToken, len(body), body)
			if _, err := conn.Write(out); err != nil {
				b.Error(err)
				return
			}
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				b.Error(err)
				return
			}
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("%d %s %v", answer.StatusCode, text, err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
}
