package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"keyward/keys"
	"keyward/registry"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/sqlstore"
)

const (
	users = 1000
	few   = 64 // connections, or requests at a time
)

// logins measures the registry as a process of its own, its database on a disk, against
// net/http over TLS in another one. Client and server share the machine.
func (b *bench) logins(ctx context.Context) ([]row, error) {
	data := filepath.Join(b.dir, "registry")
	ours, pairs, err := b.registry(ctx, data)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	base := filepath.Join(data, "server")
	bare, err := b.serve(ctx, b.bare, base+".cert.pem", base+".key.pem")
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	server, roots, err := identity(ctx, data)
	if err != nil {
		return nil, err
	}
	password, err := b.passwordLogins(ctx, ours, newClient(roots, few, ours))
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range []int{users, few} {
		r, err := b.keyLogins(ctx, pairs, server, side{bare, newClient(roots, n, bare)}, side{ours, newClient(roots, n, ours)})
		if err != nil {
			return nil, err
		}
		r.what = fmt.Sprintf("key logins over TLS, %d users on %d connections, over bare net/http", users, n)
		if n == users {
			r.target = target{sign: atLeast, bound: 0.5}
		}
		rows = append(rows, r)
	}
	return append(rows, password...), nil
}

// registry starts a registry on SQLite in a folder, with users of a key each, whose pairs it returns.
func (b *bench) registry(ctx context.Context, data string) (*server, []keys.Pair, error) {
	pairs := make([]keys.Pair, users)
	for i := range pairs {
		var err error
		if pairs[i], err = keys.Generate(); err != nil {
			return nil, nil, err
		}
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, nil, err
	}
	db, err := sqlstore.Open(ctx, filepath.Join(data, "registry.db"), signer())
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(addUsers(ctx, db, pairs), db.Close()); err != nil {
		return nil, nil, err
	}
	s, err := b.serveRegistry(ctx, data)
	return s, pairs, err
}

// serveRegistry starts a registry on a folder. All connections come from one address, which may have a quarter of them, and
// the client dials some more than it keeps.
func (b *bench) serveRegistry(ctx context.Context, data string, flags ...string) (*server, error) {
	return b.serveSigned(ctx, append([]string{"--max-connections", "16384", "--data-dir", data}, flags...)...)
}

// identity is the key that logins to a registry are sealed for, and the roots of its certificate.
func identity(ctx context.Context, data string) (keys.PublicKey, *x509.CertPool, error) {
	server, err := keys.Load(ctx, filepath.Join(data, "serverkey"))
	if err != nil {
		return keys.PublicKey{}, nil, err
	}
	text, err := os.ReadFile(filepath.Join(data, "ca.cert.pem"))
	if err != nil {
		return keys.PublicKey{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return server.Public, roots, nil
}

// addUsers adds a user for each pair, with its key.
func addUsers(ctx context.Context, db store.Store, pairs []keys.Pair) error {
	hash, err := registry.HashPassword("the right password")
	if err != nil {
		return err
	}
	errs := make(chan error)
	for i, pair := range pairs {
		go func() { errs <- addUser(ctx, db, userName(i), hash, pair) }() // together, so that they share syncs
	}
	for range pairs {
		err = errors.Join(err, <-errs)
	}
	return err
}

func userName(i int) string { return fmt.Sprint("user", i) }

func addUser(ctx context.Context, db store.Store, name, hash string, pair keys.Pair) error {
	if err := db.AddUser(ctx, store.User{Name: name, Password: hash, Created: time.Now()}, audit.Act{Time: time.Now(), What: audit.UserAdded, User: name}); err != nil {
		return err
	}
	return db.AddKey(ctx, store.Key{User: name, Public: pair.Public, Created: time.Now()}, audit.Act{Time: time.Now(), What: audit.KeyAdded, User: name})
}

// signer signs audit records with a key that nobody else needs.
func signer() *audit.Signer {
	return audit.NewSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
}

// serveSigned starts a registry on a store whose audit records signer signed.
func (b *bench) serveSigned(ctx context.Context, flags ...string) (*server, error) {
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}
	key := filepath.Join(b.dir, "audit-key")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return b.serve(ctx, append([]string{b.keyward, "serve", "--listen", "127.0.0.1:0", "--audit-key", key}, flags...)...)
}

// side is one of two that are compared: a server and its client.
type side struct {
	server *server
	client *client
}

// keyLogins compares rounds of logins. Each login is sealed before it is timed, and used once.
func (b *bench) keyLogins(ctx context.Context, pairs []keys.Pair, server keys.PublicKey, ref, ours side) (row, error) {
	r := row{unit: perSecond}
	defer ref.client.close()
	defer ours.client.close()
	perRound := 20_000
	if b.short {
		perRound = 2_000
	}
	for i := range b.times(10) + 1 {
		var rates, cpus [2]float64 // the reference's, ours
		for j, s := range []side{ref, ours} {
			forms, err := sealLogins(pairs, server, perRound)
			if err != nil {
				return r, err
			}
			before := s.server.cpu()
			took, statuses, err := s.client.send(ctx, forms)
			if err != nil {
				return r, err
			}
			if statuses[http.StatusOK] != perRound {
				return r, fmt.Errorf("of %d logins these were answered: %v", perRound, statuses)
			}
			rates[j] = float64(perRound) / took.Seconds()
			cpus[j] = s.server.cpu() - before
		}
		if i > 0 { // the first round fills the caches
			r.pairs.add(rates[1], rates[0])
			r.cpu.add(cpus[1], cpus[0])
		}
	}
	return r, nil
}

func sealLogins(pairs []keys.Pair, server keys.PublicKey, n int) ([]string, error) {
	forms := make([]string, n)
	for i := range forms {
		apikey, err := keys.SealLogin(pairs[i%users], server, time.Now())
		if err != nil {
			return nil, err
		}
		forms[i] = url.Values{
			wire.FieldGrantType: {wire.GrantAPIKey}, wire.FieldClientID: {"bench"}, wire.FieldClientSecret: {""},
			wire.FieldUsername: {userName(i % users)}, wire.FieldAPIKey: {apikey},
		}.Encode()
	}
	return forms, nil
}

// passwordLogins compares logins with a wrong password, one at a time on each connection,
// with the hash alone on all cores; and the server's memory at its peak with that before.
func (b *bench) passwordLogins(ctx context.Context, s *server, c *client) ([]row, error) {
	defer c.close()
	rate := row{what: fmt.Sprintf("password logins, %d at a time and all wrong, over the argon2id hash alone", few), unit: perSecond}
	memory := row{what: "the server's memory at its peak then, over that before", unit: mebibytes}
	const wrong = "the wrong password"
	forms := make([]string, few)
	for i := range forms {
		forms[i] = url.Values{wire.FieldUsername: {userName(i)}, wire.FieldPassword: {wrong}}.Encode()
	}
	idle := s.peak()
	for range b.times(5) {
		start := time.Now()
		hashAll(wrong, few)
		alone := time.Since(start)
		took, statuses, err := c.send(ctx, forms)
		if err != nil {
			return nil, err
		}
		if statuses[http.StatusOK] > 0 {
			return nil, fmt.Errorf("a wrong password was taken: %v", statuses)
		}
		rate.pairs.add(float64(statuses[http.StatusUnauthorized])/took.Seconds(), few/alone.Seconds())
	}
	memory.pairs.add(s.peak(), idle)
	return []row{rate, memory}, nil
}

// hashAll hashes a password n times on all cores.
func hashAll(password string, n int) {
	var wg sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for core := range cores {
		wg.Go(func() {
			for range (n + core) / cores {
				_, _ = registry.HashPassword(password)
			}
		})
	}
	wg.Wait()
}
