package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
	"keyward/keyexchange/transport"
)

const (
	keptAlive    = 5000 // clients
	python       = "/usr/bin/python3"
	pythonScript = "internal/bench/testdata/subscriber.py"
)

// exchanged measures `keyward keyexchange`: messages are opened against the bare verify and decrypt, and against the original's client;
// keys are given against bare handshakes.
func (b *bench) exchanged(ctx context.Context) ([]row, error) {
	x, err := b.newExchange(ctx)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, measure := range []func(context.Context, *exchange) (row, error){
		b.opening, b.subscribing, b.overOriginal, b.exchanging, b.keepAlives,
	} {
		r, err := measure(ctx, x)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// exchange is the keys, who gives them, and messages that were sealed with them.
type exchange struct {
	id       relayFiles
	file     string // of the keys
	open     keyexchange.OpenKeys
	messages [][]byte
}

// usual is a message as napalm-logs publishes one, of 1 KiB with its text.
const usual = `{"error":"BGP_PREFIX_THRESH_EXCEEDED","facility":18,"host":"vmx01","ip":"127.0.0.1","os":"junos","severity":4,` +
	`"timestamp":1490864413,"yang_message":{"bgp":{"neighbors":{"neighbor":{"192.168.140.254":{"afi_safis":{"afi_safi":{"inet":{"ipv4_unicast":` +
	`{"prefix_limit":{"state":{"max_prefixes":140}}},"state":{"prefixes":{"received":141}}}}},"state":{"peer_as":4230}}}}}},` +
	`"yang_model":"openconfig-bgp","message_details":{"date":"Mar 30","facility":18,"host":"vmx01","hostPrefix":null,"message":"%s",` +
	`"pri":"149","processId":"2902","processName":"rpd","severity":4,"tag":"BGP_PREFIX_THRESH_EXCEEDED","time":"09:00:13"}}`

// newExchange makes keys and seals messages, all alike but for their nonces.
func (b *bench) newExchange(ctx context.Context) (*exchange, error) {
	id, err := b.identity(ctx, "keyexchange")
	if err != nil {
		return nil, err
	}
	x := &exchange{id: id, file: filepath.Join(id.dir, "keys"), messages: make([][]byte, 50_000)} // most of a second for a subscriber, and less than a publisher keeps for it
	if b.short {
		x.messages = x.messages[:2000]
	}
	ring := keyexchange.NewRing(time.Now())
	if err := keyexchange.Create(ctx, x.file, ring, nil); err != nil {
		return nil, err
	}
	keys := ring.At(time.Now()).SealKeys
	x.open = keys.OpenKeys
	plain, err := msgpack.FromJSON(nil, fmt.Appendf(nil, usual, strings.Repeat("192.168.140.254 (External AS 4230): ", 15)), 0)
	for i := range x.messages {
		x.messages[i] = keyexchange.Seal(nil, plain, keys)
	}
	return x, err
}

// bareOpen verifies and decrypts, and does nothing else.
func (x *exchange) bareOpen(messages [][]byte) (err error) {
	var plain []byte
	for _, m := range messages {
		signature, nonce, box := m[:ed25519.SignatureSize], (*[24]byte)(m[ed25519.SignatureSize:]), m[ed25519.SignatureSize+24:]
		ok := ed25519.Verify(x.open.Verify[:], m[len(signature):], signature)
		if ok {
			plain, ok = secretbox.Open(plain[:0], box, nonce, (*[32]byte)(&x.open.Box))
		}
		if !ok {
			err = errors.New("a message does not open")
		}
	}
	return err
}

// bareOpenAll does so on all cores.
func (x *exchange) bareOpenAll() error {
	errs := make([]error, runtime.NumCPU())
	var working sync.WaitGroup
	for i := range errs {
		part := x.messages[i*len(x.messages)/len(errs) : (i+1)*len(x.messages)/len(errs)]
		working.Go(func() { errs[i] = x.bareOpen(part) })
	}
	working.Wait()
	return errors.Join(errs...)
}

// opening compares the library, from a sealed message to its line of JSON, in this process and on one core.
func (b *bench) opening(_ context.Context, x *exchange) (row, error) {
	r := row{
		what: "opening a sealed message of 1 KiB: verify, decrypt and decode, over ed25519.Verify and secretbox.Open",
		unit: microseconds, target: target{sign: atMost, bound: 1.15},
	}
	some := x.messages[:1000]
	for i := range b.times(40) + 1 {
		start := time.Now()
		if err := x.bareOpen(some); err != nil {
			return r, err
		}
		bare := time.Since(start)
		start = time.Now()
		var plain, line []byte
		for _, m := range some {
			var err error
			if plain, err = keyexchange.Open(plain[:0], m, &x.open, 0); err == nil {
				line, err = msgpack.ToJSON(line[:0], plain, 0)
			}
			if err != nil {
				return r, err
			}
		}
		if i > 0 {
			n := float64(len(some))
			r.pairs.add(ms(time.Since(start))/n, ms(bare)/n)
		}
	}
	return r, nil
}

// subscribing compares `keyward keyexchange subscribe` with the bare work on all cores. CPU is that of its process alone.
func (b *bench) subscribing(ctx context.Context, x *exchange) (row, error) {
	r := row{
		what: fmt.Sprintf("messages of 1 KiB through `keyward keyexchange subscribe` over ZeroMQ, over ed25519.Verify and secretbox.Open on %d cores", runtime.NumCPU()),
		unit: perSecond, target: target{sign: atLeast, bound: 0.7},
	}
	process, err := os.FindProcess(os.Getpid())
	if err != nil {
		return r, err
	}
	self := &server{process: process}
	var wall pairs
	for i := range b.times(20) + 1 {
		start, before := time.Now(), self.cpu()
		if err := x.bareOpenAll(); err != nil {
			return r, err
		}
		bare, bareCPU := time.Since(start), self.cpu()-before
		took, cpu, err := b.flow(ctx, x.messages, b.subscriber(x))
		if err != nil {
			return r, err
		}
		if i > 0 {
			wall.add(ms(took), ms(bare))
			r.cpu.add(cpu, bareCPU)
		}
	}
	r.pairs = wall.rates(len(x.messages), len(x.messages))
	return r, nil
}

// subscriber is what is run to read from an endpoint.
func (b *bench) subscriber(x *exchange) func(endpoint string) []string {
	return func(endpoint string) []string {
		return []string{b.keyward, "keyexchange", "subscribe", "--connect", endpoint, "--exchange-keys", x.file}
	}
}

// overOriginal compares it with a client in Python that does what the original's does, on one core. CPU is for each message.
func (b *bench) overOriginal(ctx context.Context, x *exchange) (row, error) {
	r := row{
		what: "messages of 1 KiB through `keyward keyexchange subscribe` over ZeroMQ, over the original's way in Python",
		unit: perSecond, target: target{sign: atLeast, bound: 10},
	}
	if r.skip = b.withoutPython(ctx); r.skip != "" {
		return r, nil
	}
	few := x.messages[:len(x.messages)/5]
	var wall pairs
	for i := range b.times(10) + 1 {
		theirs, theirCPU, err := b.flow(ctx, few, func(endpoint string) []string {
			return []string{python, filepath.Join(b.root, pythonScript), endpoint, hex.EncodeToString(x.open.Box[:]), x.open.Verify.String()}
		})
		if err != nil {
			return r, err
		}
		ours, cpu, err := b.flow(ctx, x.messages, b.subscriber(x))
		if err != nil {
			return r, err
		}
		if i > 0 {
			wall.add(ms(ours), ms(theirs))
			r.cpu.add(cpu/float64(len(x.messages)), theirCPU/float64(len(few)))
		}
	}
	r.pairs = wall.rates(len(x.messages), len(few))
	return r, nil
}

// withoutPython says why the original's way cannot be measured; empty where it can.
func (b *bench) withoutPython(ctx context.Context) string {
	if err := exec.CommandContext(ctx, python, "-c", "import zmq, nacl").Run(); err != nil {
		return "python3-zmq or python3-nacl is not installed"
	}
	return ""
}

// flow publishes messages to a process that prints a line for each. It returns the time from the first message to the last
// line, and the CPU time of the process, in milliseconds. The publisher is this program, and costs little: messages are sealed
// before, and many leave with each write.
func (b *bench) flow(ctx context.Context, messages [][]byte, argv func(endpoint string) []string) (took time.Duration, cpu float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	p, err := transport.ListenZMQ("tcp://127.0.0.1:0", transport.ZMQOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer p.Close()
	s, out, err := b.launch(ctx, argv("tcp://"+p.Addr().String())...)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	if err := p.Await(ctx, 1); err != nil {
		return 0, 0, s.said(err)
	}
	before, start := s.cpu(), time.Now()
	for _, m := range messages {
		if err := p.Publish(ctx, m); err != nil {
			return 0, 0, err
		}
	}
	if err := readLines(out, len(messages)); err != nil {
		return 0, 0, s.said(err)
	}
	return time.Since(start), s.cpu() - before, nil
}

// readLines reads that many lines.
func readLines(r io.Reader, n int) error {
	buf := make([]byte, 256<<10)
	for n > 0 {
		read, err := r.Read(buf)
		n -= bytes.Count(buf[:read], []byte("\n"))
		if err != nil {
			return fmt.Errorf("%d lines are missing: %w", n, err)
		}
	}
	return nil
}

// serveExchange starts an exchange. All clients come from one address.
func (b *bench) serveExchange(ctx context.Context, x *exchange) (*server, error) {
	s, out, err := b.launch(ctx, b.keyward, "keyexchange", "serve", "--listen", "127.0.0.1:0", "--cert", x.id.cert, "--key", x.id.key,
		"--exchange-keys", x.file, "--max-clients", "16384", "--max-per-address", "16384")
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, s.said(err)
	}
	s.address = strings.TrimSpace(line)
	return s, nil
}

// exchanging compares how many clients get the keys in a second with how many get a TLS connection from a server that closes it at
// once. Both are asked by several clients at a time, which share the cores with the servers. CPU is the servers' alone.
func (b *bench) exchanging(ctx context.Context, x *exchange) (row, error) {
	r := row{
		what: "exchanges of keys with `keyward keyexchange serve` over bare TLS 1.3 handshakes",
		unit: perSecond, target: target{sign: atLeast, bound: 0.8},
	}
	ref, err := b.serve(ctx, b.bareShake, x.id.cert, x.id.key)
	if err != nil {
		return r, err
	}
	defer ref.stop()
	ours, err := b.serveExchange(ctx, x)
	if err != nil {
		return r, err
	}
	defer ours.stop()
	trust := &tls.Config{RootCAs: x.id.client.RootCAs, MinVersion: tls.VersionTLS13}
	client := &keyexchange.Client{Address: ours.address, TLS: trust}
	n := 1000
	if b.short {
		n = 100
	}
	var wall pairs
	for i := range b.times(20) + 1 {
		bare, bareCPU, err := together(ctx, n, ref.cpu, func(ctx context.Context) error { return shake(ctx, ref.address, trust) })
		if err != nil {
			return r, err
		}
		took, cpu, err := together(ctx, n, ours.cpu, func(ctx context.Context) error {
			_, err := client.Fetch(ctx)
			return err
		})
		if err != nil {
			return r, err
		}
		if i > 0 {
			wall.add(took, bare)
			r.cpu.add(cpu, bareCPU)
		}
	}
	r.pairs = wall.rates(n, n)
	return r, nil
}

// together does something n times, several at a time, and returns the milliseconds that all took, and those of CPU that the servers spent.
func together(ctx context.Context, n int, spent func() float64, do func(context.Context) error) (took, cpu float64, err error) {
	var next atomic.Int64
	errs := make([]error, 8)
	var working sync.WaitGroup
	before, start := spent(), time.Now()
	for i := range errs {
		working.Go(func() {
			for next.Add(1) <= int64(n) && errs[i] == nil {
				errs[i] = do(ctx)
			}
		})
	}
	working.Wait()
	return ms(time.Since(start)), spent() - before, errors.Join(errs...)
}

// shake connects, and waits until the server closes the connection.
func shake(ctx context.Context, address string, config *tls.Config) error {
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the server did not close the connection: %w", err)
	}
	return nil
}

// keepAlives measures what an exchange holds more when many clients have their keys and keep their connections alive, for each of
// them. It is another server each time.
func (b *bench) keepAlives(ctx context.Context, x *exchange) (row, error) {
	n := keptAlive
	if b.short {
		n = 200
	}
	r := row{
		what: fmt.Sprintf("memory of `keyward keyexchange serve` for each of %d clients with keep-alives, over 40 KiB", n),
		unit: kibibytes, target: target{sign: atMost, bound: 1},
	}
	for range b.times(5) {
		held, err := b.clients(ctx, x, n)
		if err != nil {
			return r, err
		}
		r.pairs.add(held, 40)
	}
	return r, nil
}

// clients has that many get the keys from a new server, and returns the KiB that it holds for each.
func (b *bench) clients(ctx context.Context, x *exchange, n int) (float64, error) {
	s, err := b.serveExchange(ctx, x)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	before := s.resident()
	conns := make([]net.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	trust := &tls.Config{RootCAs: x.id.client.RootCAs, MinVersion: tls.VersionTLS13}
	var next atomic.Int64
	if _, _, err := together(ctx, n, s.cpu, func(ctx context.Context) error {
		conn, err := (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", s.address)
		if err != nil {
			return err
		}
		conns[next.Add(1)-1] = conn
		return errors.Join(say(conn, "INIT", 32), say(conn, "ACK", 64), say(conn, "ACKKEEPALIVE", len("KEEPALIVEACK")))
	}); err != nil {
		return 0, err
	}
	next.Store(0)
	_, _, err = together(ctx, n, s.cpu, func(context.Context) error { return say(conns[next.Add(1)-1], "KEEPALIVE", len("KEEPALIVEACK")) })
	return (s.resident() - before) * 1024 / float64(n), err
}

// say sends words to an exchange, and reads as much as it answers.
func say(conn net.Conn, words string, answer int) error {
	if _, err := io.WriteString(conn, words); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, answer))
	return err
}
