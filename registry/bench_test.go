package registry

import (
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
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

const (
	benchUsers = 1000
	benchConns = 64 // kept connections, times the cores
)

// BenchmarkBareTLS is what the other is held against: net/http over TLS that answers
// a fixed JSON body, with the same requests from the same client.
func BenchmarkBareTLS(b *testing.B) {
	_, bodies := benchRegistry(b)
	const answer = `{"access_token":"012345678901234567890123456789012345678901234567890","token_type":"Bearer","expires_in":900}`
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	})
	post(b, bodies, func(ctx context.Context, l net.Listener, config *tls.Config) error {
		srv := &http.Server{Handler: handler, TLSConfig: config}
		context.AfterFunc(ctx, func() { srv.Close() })
		return srv.ServeTLS(l, "", "")
	})
}

// BenchmarkKeyLogin is a login with a key: opened, and remembered with its token, on disk.
func BenchmarkKeyLogin(b *testing.B) {
	s, bodies := benchRegistry(b)
	post(b, bodies, s.Serve)
}

// benchRegistry makes a registry of benchUsers with a key each, and the forms of b.N logins.
func benchRegistry(b *testing.B) (*Server, []string) {
	b.Helper()
	dir := b.TempDir()
	st, err := sqlstore.Open(b.Context(), filepath.Join(dir, "registry.db"), storetest.Signer())
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
		if err := st.AddUser(b.Context(), store.User{Name: user, Password: "x"}, storetest.Act("test")); err != nil {
			b.Fatal(err)
		}
		public := newPair(b).Public
		if err := st.AddKey(b.Context(), store.Key{User: user, Public: public}, storetest.Act("test")); err != nil {
			b.Fatal(err)
		}
		shared[i], err = s.current().shared.get(s.current().Server, public)
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
	return s, bodies
}

// post sends the bodies to what serve serves, over kept connections.
func post(b *testing.B, bodies []string, serve func(context.Context, net.Listener, *tls.Config) error) {
	b.Helper()
	cert := newCertificate(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, &tls.Config{Certificates: []tls.Certificate{cert}}) }()
	defer func() {
		cancel()
		<-ended
	}()
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	url := "https://" + l.Addr().String() + wire.PathToken

	var next atomic.Int64
	b.SetParallelism(benchConns)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := strings.NewReader(bodies[next.Add(1)-1])
			answer, err := client.Post(url, "application/x-www-form-urlencoded", body)
			if err != nil {
				b.Error(err)
				return
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("%d %s %v", answer.StatusCode, text, err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
}
