package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/sqlstore"
)

const (
	fewAccounts  = 100
	manyAccounts = 100_000
	busMessage   = 128 // bytes
)

// onBus measures the bus against a stock NATS server that takes everybody with a certificate: connections, messages, how soon a
// revocation is in force, and what many accounts cost. The clients are all of this program, and share the machine with the servers.
func (b *bench) onBus(ctx context.Context) ([]row, error) {
	x, err := b.newBus(ctx)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, measure := range []func(context.Context) ([]row, error){
		x.connecting, x.messages, x.crowded, x.revoking,
	} {
		more, err := measure(ctx)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// accountName is that of the i-th account.
func accountName(i int) bus.Name { return bus.Name(fmt.Sprintf("account%06d", i)) }

// accountRows are the rows of n accounts, all alike: each sends, and hears what all others send.
func accountRows(n int) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for i := range n {
			name := accountName(i)
			identity, err := bus.Identity(trustDomain, name)
			a := bus.Account{Name: name, State: bus.Active, Revision: uint64(i + 1), Identities: []string{identity}, Roles: []bus.Role{
				{Kind: bus.Emitter, Name: name}, {Kind: bus.Consumer, Name: "all", Subjects: []bus.Pattern{"xbus.msgbox.*"}},
			}}
			if !yield(store.Row{Account: &a}, err) {
				return
			}
		}
	}
}

// connecting compares how many clients connect in a second, to keyward-bus and with an authorizer beside a stock server, with how many a
// stock server takes that looks at nothing but their certificates.
func (x *busBench) connecting(ctx context.Context) ([]row, error) {
	bare, err := x.serveBare(ctx)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	embedded, err := x.serveEmbedded(ctx, x.few)
	if err != nil {
		return nil, err
	}
	defer embedded.stop()
	callout, err := x.serveCallout(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer callout.stop()
	rows := []row{
		{what: "connections to `keyward-bus` over a NATS server with mutual TLS alone", unit: perSecond, target: target{sign: atLeast, bound: 0.9}},
		{what: "connections to a NATS server that asks `keyward bus authorize`, over one with mutual TLS alone", unit: perSecond, target: target{sign: atLeast, bound: 0.5}},
	}
	n := 500
	if x.short {
		n = 100
	}
	var wall [2]pairs
	for i := range x.times(20) + 1 {
		ref, refCPU, err := x.connects(ctx, bare, n, fewAccounts)
		if err != nil {
			return nil, err
		}
		for j, side := range []busServers{embedded, callout} {
			took, cpu, err := x.connects(ctx, side, n, fewAccounts)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				wall[j].add(took, ref)
				rows[j].cpu.add(cpu, refCPU)
			}
		}
	}
	for j := range rows {
		rows[j].pairs = wall[j].rates(n, n)
	}
	return rows, nil
}

// connects has n clients connect, several at a time, each of another of so many accounts, and leave again.
func (x *busBench) connects(ctx context.Context, s busServers, n, accounts int) (took, cpu float64, err error) {
	certificates := make([]tls.Certificate, fewAccounts)
	for i := range certificates {
		if certificates[i], err = x.certificate(i * (accounts / fewAccounts)); err != nil {
			return 0, 0, err
		}
	}
	var next atomic.Int64
	return together(ctx, n, s.cpu, func(context.Context) error {
		conn, err := x.connect(s.urls[0], certificates[int(next.Add(1))%fewAccounts])
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// messages compares how many messages go from one client to another in a second, through keyward-bus and through a server without permissions.
func (x *busBench) messages(ctx context.Context) ([]row, error) {
	r := row{
		what: fmt.Sprintf("messages of %d bytes through `keyward-bus`, over a NATS server without permissions", busMessage),
		unit: perSecond, target: target{sign: atLeast, bound: 0.8},
	}
	bare, err := x.serveBare(ctx)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	ours, err := x.serveEmbedded(ctx, x.few)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	n := 200_000
	if x.short {
		n = 20_000
	}
	for i := range x.times(20) + 1 {
		var rates, cpus [2]float64 // the reference's, ours
		for j, side := range []busServers{bare, ours} {
			before := side.cpu()
			took, err := x.flood(ctx, side.urls[0], n)
			if err != nil {
				return nil, err
			}
			rates[j], cpus[j] = float64(n)/took.Seconds(), side.cpu()-before
		}
		if i > 0 {
			r.pairs.add(rates[1], rates[0])
			r.cpu.add(cpus[1], cpus[0])
		}
	}
	return []row{r}, nil
}

// flood sends n messages from one account to another, and returns the time from the first to the arrival of the last.
func (x *busBench) flood(ctx context.Context, url string, n int) (time.Duration, error) {
	var conns [2]*nats.Conn
	for i := range conns {
		cert, err := x.certificate(i)
		if err != nil {
			return 0, err
		}
		if conns[i], err = x.connect(url, cert); err != nil {
			return 0, err
		}
		defer conns[i].Close()
	}
	from, to := conns[0], conns[1]
	arrived, count := make(chan struct{}), 0
	sub, err := to.Subscribe("xbus.msgbox.*", func(*nats.Msg) {
		if count++; count == n {
			close(arrived)
		}
	})
	if err != nil {
		return 0, err
	}
	if err := errors.Join(sub.SetPendingLimits(-1, -1), to.Flush()); err != nil {
		return 0, err
	}
	subject, data := string(bus.MessageBox(accountName(0), accountName(0))), make([]byte, busMessage)
	start := time.Now()
	for range n {
		if err := from.Publish(subject, data); err != nil {
			return 0, err
		}
	}
	if err := from.Flush(); err != nil {
		return 0, err
	}
	select {
	case <-arrived:
		return time.Since(start), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Minute):
		return 0, fmt.Errorf("of %d messages not all arrived: %w", n, from.LastError())
	}
}

// revoking measures how long it takes from the call that revokes an account until it has no connection on any server. Who comes
// back is refused.
func (x *busBench) revoking(ctx context.Context) ([]row, error) {
	var rows []row
	for _, r := range []struct {
		what  string
		bound float64 // in milliseconds
		serve func() (busServers, error)
	}{
		{"until a revoked account has no connection to `keyward-bus`, over 100 ms", 100, func() (busServers, error) { return x.serveEmbedded(ctx, x.few) }},
		{"the same on a NATS server that asks `keyward bus authorize`, over 100 ms", 100, func() (busServers, error) { return x.serveCallout(ctx, 1) }},
		{"the same on a cluster of three, with a connection to each, over 1 s", 1000, func() (busServers, error) { return x.serveCallout(ctx, 3) }},
	} {
		row := row{what: r.what, unit: milliseconds, target: target{sign: atMost, bound: 1}}
		servers, err := r.serve()
		if err != nil {
			return rows, err
		}
		err = x.revocations(ctx, servers, func(took float64) { row.pairs.add(took, r.bound) })
		servers.stop()
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// revocations revokes one account after the other.
func (x *busBench) revocations(ctx context.Context, s busServers, add func(float64)) error {
	db, err := sqlstore.Open(ctx, x.few, signer())
	if err != nil {
		return err
	}
	defer db.Close()
	for range x.times(20) {
		x.revoked++ // account 0 stays
		took, err := x.revocation(ctx, db, s, x.revoked)
		if err != nil {
			return err
		}
		add(took)
	}
	return nil
}

// revocation revokes the i-th account, which has a connection to each server.
func (x *busBench) revocation(ctx context.Context, db *sqlstore.Store, s busServers, i int) (float64, error) {
	cert, err := x.certificate(i)
	if err != nil {
		return 0, err
	}
	var ended sync.WaitGroup
	for _, url := range s.urls {
		ended.Add(1)
		conn, err := x.connect(url, cert, nats.ClosedHandler(func(*nats.Conn) { ended.Done() }))
		if err != nil {
			return 0, err
		}
		defer conn.Close()
	}
	all := make(chan struct{})
	go func() {
		ended.Wait()
		close(all)
	}()
	start := time.Now()
	if err := db.RevokeAccount(ctx, accountName(i), audit.Act{Time: start, What: audit.AccountRevoked}); err != nil {
		return 0, err
	}
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		return 0, errors.New("a revoked account keeps its connections")
	}
	took := ms(time.Since(start))
	for _, url := range s.urls {
		if conn, err := x.connect(url, cert); err == nil {
			conn.Close()
			return 0, errors.New("a revoked account is let in")
		}
	}
	return took, nil
}

// crowded compares how long it takes to connect where there are many accounts, with where there are few.
func (x *busBench) crowded(ctx context.Context) ([]row, error) {
	many := manyAccounts
	if x.short {
		many /= 10
	}
	r := row{
		what: fmt.Sprintf("connecting to `keyward-bus`, with %d accounts over %d", many, fewAccounts),
		unit: milliseconds, target: target{sign: atMost, bound: 1.2},
	}
	place, err := x.accounts(ctx, many)
	if err != nil {
		return nil, err
	}
	ref, err := x.serveEmbedded(ctx, x.few)
	if err != nil {
		return nil, err
	}
	defer ref.stop()
	ours, err := x.serveEmbedded(ctx, place)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	n := 500
	if x.short {
		n = 100
	}
	for i := range x.times(20) + 1 {
		few, fewCPU, err := x.connects(ctx, ref, n, fewAccounts)
		if err != nil {
			return nil, err
		}
		took, cpu, err := x.connects(ctx, ours, n, many)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			r.pairs.add(took/float64(n), few/float64(n))
			r.cpu.add(cpu, fewCPU)
		}
	}
	return []row{r}, nil
}
