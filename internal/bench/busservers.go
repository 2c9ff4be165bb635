package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/store/audit"
	"keyward/store/sqlstore"
)

const (
	keywardBusFolder = "./cmd/keyward-bus"
	natsServer       = "github.com/nats-io/nats-server/v2" // as go.mod names it, without a line of ours
	trustDomain      = "example.org"
)

// busBench is what the measurements of the bus need.
type busBench struct {
	*bench
	id               relayFiles
	ca               tls.Certificate
	server           string // the certificate of the servers, for clients and for each other
	embedded, stock  string // programs
	few              string // the path of a store with few accounts
	revoked, configs int    // so far
}

func (b *bench) newBus(ctx context.Context) (x *busBench, err error) {
	x = &busBench{bench: b}
	if x.id, err = b.identity(ctx, "bus"); err != nil {
		return nil, err
	}
	x.server = filepath.Join(x.id.dir, "server.cert.pem")
	if _, err := (job{dir: x.id.dir, env: b.env, argv: []string{b.keyward, "gen-leaf-cert", "--cert-basename", "server", "--profile", "peer",
		"--san", "127.0.0.1", "--san", "localhost", "--ca-certfile", "ca.cert.pem", "--ca-keyfile", "ca.key.pem"}}).spend(ctx); err != nil {
		return nil, err
	}
	if x.ca, err = tls.LoadX509KeyPair(x.id.ca, filepath.Join(x.id.dir, "ca.key.pem")); err != nil {
		return nil, err
	}
	if x.few, err = x.accounts(ctx, fewAccounts); err != nil {
		return nil, err
	}
	if x.embedded, err = b.build(ctx, "keyward-bus", tag, keywardBusFolder); err != nil {
		return nil, err
	}
	x.stock, err = b.build(ctx, "nats-server", tag, natsServer)
	return x, err
}

// accounts makes a store with so many.
func (x *busBench) accounts(ctx context.Context, n int) (string, error) {
	dir, err := os.MkdirTemp(x.dir, "accounts")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "registry.db")
	db, err := sqlstore.Open(ctx, path, signer())
	if err != nil {
		return "", err
	}
	err = db.Import(ctx, accountRows(n), audit.Act{Time: time.Now(), What: audit.Restored})
	return path, errors.Join(err, db.Close())
}

// certificate makes one that opens the i-th account. All have the key of the benchmark's own certificate.
func (x *busBench) certificate(i int) (tls.Certificate, error) {
	text, err := bus.Identity(trustDomain, accountName(i))
	if err != nil {
		return tls.Certificate{}, err
	}
	uri, err := url.Parse(text)
	if err != nil {
		return tls.Certificate{}, err
	}
	own := x.id.client.Certificates[0]
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(int64(i + 1)), URIs: []*url.URL{uri}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, x.ca.Leaf, own.Leaf.PublicKey, x.ca.PrivateKey)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own.PrivateKey}, err
}

// connect connects once, with a certificate.
func (x *busBench) connect(url string, cert tls.Certificate, more ...nats.Option) (*nats.Conn, error) {
	config := x.id.client.Clone()
	config.Certificates = []tls.Certificate{cert}
	return nats.Connect(url, append(more, nats.Secure(config), nats.NoReconnect(), nats.IgnoreDiscoveredServers(), nats.Timeout(10*time.Second))...)
}

// busServers are what serves a bus: one process, or several servers and their authorizer.
type busServers struct {
	urls      []string // where clients connect
	processes []*server
}

func (s busServers) cpu() (sum float64) {
	for _, p := range s.processes {
		sum += p.cpu()
	}
	return sum
}

// stop ends the last first: an authorizer before its servers.
func (s busServers) stop() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop()
	}
}

// serveEmbedded starts keyward-bus on a store.
func (x *busBench) serveEmbedded(ctx context.Context, store string) (busServers, error) {
	s, err := x.serve(ctx, x.embedded, "--listen", "127.0.0.1:0", "--store", store, "--trust-domain", trustDomain,
		"--cert", x.server, "--key", x.serverKey(), "--client-ca", x.id.ca)
	if err != nil {
		return busServers{}, err
	}
	return busServers{[]string{"tls://" + s.address}, []*server{s}}, nil
}

func (x *busBench) serverKey() string { return strings.TrimSuffix(x.server, ".cert.pem") + ".key.pem" }

// serveBare starts a NATS server that takes everybody with a certificate, for everything.
func (x *busBench) serveBare(ctx context.Context) (busServers, error) {
	at, err := freeAddress(ctx)
	if err != nil {
		return busServers{}, err
	}
	var s busServers
	err = s.add(ctx, x, at, fmt.Sprintf("listen: %q\ntls { cert_file: %q, key_file: %q, ca_file: %q, verify: true, timeout: 5 }\n", at, x.server, x.serverKey(), x.id.ca))
	if err == nil {
		err = s.await(x)
	}
	if err != nil {
		s.stop()
	}
	return s, err
}

// serveCallout starts NATS servers that ask, in a cluster where there are several, and whom they ask.
func (x *busBench) serveCallout(ctx context.Context, n int) (s busServers, err error) {
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	flags := make([][]string, n)
	var routes []string
	for i := range flags {
		at, err := freeAddress(ctx)
		if err != nil {
			return s, err
		}
		between, err := freeAddress(ctx)
		if err != nil {
			return s, err
		}
		flags[i] = []string{"--listen", at, "--cluster-listen", between}
		_, port, _ := net.SplitHostPort(between)
		routes = append(routes, "--route", "localhost:"+port)
	}
	keys := filepath.Join(x.id.dir, "bus.keys")
	for i, own := range flags {
		argv := []string{x.keyward, "bus", "config", "--bus-keys", keys, "--cert", x.server, "--key", x.serverKey(), "--client-ca", x.id.ca, "--listen", own[1]}
		if n > 1 {
			argv = append(append(argv, "--name", fmt.Sprint("n", i), "--cluster", "bench"), append(own[2:], routes...)...)
		}
		config, err := output(ctx, "", argv...)
		if err != nil {
			return s, err
		}
		if err := s.add(ctx, x, own[1], config); err != nil {
			return s, err
		}
	}
	authorizer, err := x.serve(ctx, x.keyward, "bus", "authorize", "--connect", s.urls[0], "--store", x.few, "--bus-keys", keys,
		"--cert", x.id.peer, "--ca-file", x.id.ca, "--client-ca", x.id.ca, "--trust-domain", trustDomain)
	if err != nil {
		return s, err
	}
	s.processes = append(s.processes, authorizer)
	return s, s.await(x)
}

// add starts a stock NATS server.
func (s *busServers) add(ctx context.Context, x *busBench, at, config string) error {
	x.configs++
	file := filepath.Join(x.id.dir, fmt.Sprint("nats", x.configs, ".conf"))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	p, _, err := x.launch(ctx, x.stock, "-c", file)
	if err != nil {
		return err
	}
	s.urls, s.processes = append(s.urls, "tls://"+at), append(s.processes, p)
	return nil
}

// await waits until each server lets the first account in.
func (s *busServers) await(x *busBench) error {
	cert, err := x.certificate(0)
	if err != nil {
		return err
	}
	for _, url := range s.urls {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			conn, err := x.connect(url, cert)
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				return s.processes[len(s.processes)-1].said(err)
			}
		}
	}
	return nil
}
