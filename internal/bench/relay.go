package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"
)

const (
	couples = 4
	waiting = 2000
)

// relayed measures `keyward relay`, each of its ends a process of its own, against a relay of framed messages and against
// plain HTTPS. The peers are all of this program, and share the machine with them.
func (b *bench) relayed(ctx context.Context) ([]row, error) {
	id, err := b.identity(ctx, "relay")
	if err != nil {
		return nil, err
	}
	ref, err := b.serve(ctx, b.rawRelay, id.cert, id.key, id.ca)
	if err != nil {
		return nil, err
	}
	defer ref.stop()
	ours, err := b.serveRelay(ctx, id)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	raw := relay{ref, false, id.client}
	ws := relay{ours, true, id.client}
	var rows []row
	for _, measure := range []func() (row, error){
		func() (row, error) { return b.relayRate(ctx, ws, raw) },
		func() (row, error) { return b.relayLatency(ctx, ws, raw, id.server) },
		func() (row, error) { return b.relayMemory(ctx, id) },
	} {
		r, err := measure()
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	trips, err := b.relayREST(ctx, ours, id)
	return append(rows, trips...), err
}

// relayFiles are the certificates of a server and of its peers, which keyward made.
type relayFiles struct {
	dir            string
	cert, key, ca  string
	peer           string // the certificate and the key in one file
	client, server *tls.Config
}

func relayIn(dir string) relayFiles {
	return relayFiles{
		dir:  dir,
		cert: filepath.Join(dir, "relay.cert.pem"),
		key:  filepath.Join(dir, "relay.key.pem"),
		ca:   filepath.Join(dir, "ca.cert.pem"),
		peer: filepath.Join(dir, "peer.pkeycert.pem"),
	}
}

// identity makes them in a folder of that name.
func (b *bench) identity(ctx context.Context, name string) (relayFiles, error) {
	dir := filepath.Join(b.dir, name)
	id := relayIn(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return id, err
	}
	issuer := []string{"--ca-certfile", "ca.cert.pem", "--ca-keyfile", "ca.key.pem"}
	for _, args := range [][]string{
		{"gen-root-cert", "--cert-basename", "ca", "--subject-org-name", "bench"},
		append([]string{"gen-leaf-cert", "--cert-basename", "relay", "--san", "127.0.0.1"}, issuer...),
		append([]string{"gen-leaf-cert", "--cert-basename", "peer", "--san", "peer.example"}, issuer...),
	} {
		if _, err := (job{dir: dir, env: b.env, argv: append([]string{b.keyward}, args...)}).spend(ctx); err != nil {
			return id, err
		}
	}
	return id, errors.Join(joinFiles(id.peer, filepath.Join(dir, "peer.cert.pem"), filepath.Join(dir, "peer.key.pem")), id.load())
}

// joinFiles puts files behind each other into another.
func joinFiles(to string, parts ...string) error {
	var all []byte
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			return err
		}
		all = append(all, text...)
	}
	return os.WriteFile(to, all, 0o600)
}

// load reads what this program needs of them.
func (id *relayFiles) load() error {
	own, err := tls.LoadX509KeyPair(id.cert, id.key)
	if err != nil {
		return err
	}
	peer, err := tls.LoadX509KeyPair(id.peer, id.peer)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(id.ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	id.client = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{peer}, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
	id.server = &tls.Config{ClientCAs: roots, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}
	return nil
}

// serveRelay starts keyward's relay. All peers come from one address, and wait as long as they like.
func (b *bench) serveRelay(ctx context.Context, id relayFiles) (*server, error) {
	own, err := os.MkdirTemp(b.dir, "relay")
	if err != nil {
		return nil, err
	}
	return b.serve(ctx, b.keyward, "relay", "serve", "--listen", "127.0.0.1:0", "--cert", id.cert, "--key", id.key, "--ca-file", id.ca,
		"--max-peers", "16384", "--max-per-address", "16384", "--admin-socket", filepath.Join(own, "admin.sock"))
}

// relayRate compares how fast couples send messages from one end to the other.
func (b *bench) relayRate(ctx context.Context, ours, ref relay) (row, error) {
	r := row{
		what: fmt.Sprintf("messages of 1 KiB of %d couples through `keyward relay serve` over a TLS relay of framed messages", couples),
		unit: perSecond, target: target{sign: atLeast, bound: 0.82},
	}
	each := 25_000
	if b.short {
		each = 2_500
	}
	for i := range b.times(20) + 1 {
		var rates, cpus [2]float64 // the reference's, ours
		for j, side := range []relay{ref, ours} {
			before := side.cpu()
			took, err := side.flood(ctx, each)
			if err != nil {
				return r, err
			}
			rates[j] = float64(couples*each) / took.Seconds()
			cpus[j] = side.cpu() - before
		}
		if i > 0 {
			r.pairs.add(rates[1], rates[0])
			r.cpu.add(cpus[1], cpus[0])
		}
	}
	return r, nil
}

// flood has all couples send at once, and returns the time from the first message to the last one's arrival.
func (r relay) flood(ctx context.Context, each int) (time.Duration, error) {
	all := make([]couple, couples)
	for i := range all {
		c, err := r.couple(ctx, fmt.Sprint("flood", i))
		if err != nil {
			return 0, err
		}
		defer c.close()
		all[i] = c
	}
	errs := make(chan error)
	start := time.Now()
	for _, c := range all {
		go func() { errs <- c.flood(each) }()
	}
	var failure error
	for range all {
		failure = errors.Join(failure, <-errs)
	}
	return time.Since(start), failure
}

// relayLatency compares what the relays add to the time that a message takes from one peer to the other: the median, less that of a TLS
// connection without a relay.
func (b *bench) relayLatency(ctx context.Context, ours, ref relay, server *tls.Config) (row, error) {
	r := row{
		what: "what the relay adds to a message's way, at the median, over what the relay of framed messages adds",
		unit: microseconds, target: target{sign: atMost, bound: 1.5},
	}
	n := 2000
	if b.short {
		n = 200
	}
	for i := range b.times(30) + 1 {
		var p50 [3]float64
		for j, connect := range []func() (couple, error){
			func() (couple, error) { return ref.direct(ctx, server) },
			func() (couple, error) { return ref.couple(ctx, "volley") },
			func() (couple, error) { return ours.couple(ctx, "volley") },
		} {
			c, err := connect()
			if err != nil {
				return r, err
			}
			took, err := c.volley(n)
			c.close()
			if err != nil {
				return r, err
			}
			p50[j] = quartilesOf(took).median
		}
		if i > 0 {
			r.pairs.add(p50[2]-p50[0], p50[1]-p50[0])
		}
	}
	return r, nil
}

// relayMemory measures what a relay holds more when many wait for their peers, for each of them. It is another relay each time,
// since one that had them before has room left.
func (b *bench) relayMemory(ctx context.Context, id relayFiles) (row, error) {
	r := row{
		what: fmt.Sprintf("memory of `keyward relay serve` for each of %d that wait on TLS connections, over 40 KiB", waiting),
		unit: kibibytes, target: target{sign: atMost, bound: 1},
	}
	for range b.times(5) {
		held, err := b.waiters(ctx, id)
		if err != nil {
			return r, err
		}
		r.pairs.add(held, 40)
	}
	return r, nil
}

// waiters has many wait at a new relay and returns the KiB that it holds for each.
func (b *bench) waiters(ctx context.Context, id relayFiles) (float64, error) {
	s, err := b.serveRelay(ctx, id)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	r := relay{s, true, id.client}
	before := s.resident()
	peers := make([]*end, waiting)
	defer func() {
		for _, p := range peers {
			if p != nil {
				_ = p.Close()
			}
		}
	}()
	errs := make(chan error)
	const together = 8
	for first := range together {
		go func() {
			var err error
			for i := first; i < waiting && err == nil; i += together {
				if peers[i], err = r.meet(ctx, fmt.Sprint("waiting", i)); err == nil {
					err = peers[i].settle()
				}
			}
			errs <- err
		}()
	}
	for range together {
		err = errors.Join(err, <-errs)
	}
	return (s.resident() - before) * 1024 / waiting, err
}

// relayREST compares a GET through two `keyward relay connect` and the relay with one to an HTTPS server, one after the other: first each on a
// kept connection, then each on its own. The clients of the relay keep theirs in both.
func (b *bench) relayREST(ctx context.Context, s *server, id relayFiles) ([]row, error) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"here","since":"2026-01-01T00:00:00Z","devices":["door","lamp","oven"]}`)
	}))
	defer service.Close()
	bare, err := b.serve(ctx, b.bare, id.cert, id.key)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	door, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	for _, flags := range [][]string{{"--forward", service.URL}, {"--http-proxy", door}} {
		client, err := b.connectRelay(ctx, s, id, flags...)
		if err != nil {
			return nil, err
		}
		defer client.stop()
	}
	ours, ref := "http://"+door+"/status", "https://"+bare.address+"/status"
	var rows []row
	for _, r := range []row{
		{what: "REST round trip through two `keyward relay connect` and the relay, at the median, over plain HTTPS on a kept connection"},
		{what: "the same, each on a connection of its own"},
	} {
		alone := len(rows) > 0
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: id.client.RootCAs, MinVersion: tls.VersionTLS13}, DisableKeepAlives: alone,
		}}
		r.unit, r.target = microseconds, target{sign: atMost, bound: 3}
		r.pairs, err = b.compareTrips(ctx, client, ours, ref)
		client.CloseIdleConnections()
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// compareTrips compares the medians of round trips to two URLs.
func (b *bench) compareTrips(ctx context.Context, client *http.Client, ours, ref string) (p pairs, err error) {
	if err := answers(ctx, client, ours); err != nil {
		return p, err
	}
	n := 500
	if b.short {
		n = 100
	}
	for i := range b.times(20) + 1 {
		var p50 [2]float64
		for j, url := range []string{ref, ours} {
			took, err := roundTrips(ctx, client, url, n)
			if err != nil {
				return p, err
			}
			p50[j] = quartilesOf(took).median
		}
		if i > 0 {
			p.add(p50[1], p50[0])
		}
	}
	return p, nil
}

// roundTrips asks n times, one after the other, and returns the milliseconds that each took.
func roundTrips(ctx context.Context, client *http.Client, url string, n int) ([]float64, error) {
	took := make([]float64, n)
	for i := range took {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		answer, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		took[i] = ms(time.Since(start))
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return nil, err
		}
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", url, answer.Status)
		}
	}
	return took, nil
}

// connectRelay starts a client of the relay.
func (b *bench) connectRelay(ctx context.Context, s *server, id relayFiles, flags ...string) (*server, error) {
	argv := append([]string{b.keyward, "relay", "connect", "--client-cert", id.peer, "--ca-file", id.ca}, flags...)
	started, _, err := b.launch(ctx, append(argv, "wss://"+s.address+pathPrefix+"rest")...)
	return started, err
}

// answers waits until a URL is answered.
func answers(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		_, err := roundTrips(ctx, client, url, 1)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// freeAddress is one on loopback that nobody listens at.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
