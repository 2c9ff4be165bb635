package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"keyward/fault"
	"keyward/internal/limit"
)

// ZMQPublisher is a PUB socket that binds. Its methods may be called at any time.
type ZMQPublisher struct {
	listener    *limit.Listener
	opts        ZMQOptions
	connections limit.Count
	running     sync.WaitGroup
	stop        context.CancelFunc

	mu      sync.Mutex
	closed  bool
	readers map[*reader]bool
	changed chan struct{} // closed, and made again, when readers or what they subscribed to change
	dropped int64
	late    int // how many did not end by themselves at Close
}

// ZMQStatus is how a publisher stands.
type ZMQStatus struct {
	Subscribers int   // that subscribed to something
	Dropped     int64 // messages that a subscriber did not get since it was too slow, each counted for each
}

// ListenZMQ binds a Publisher to an endpoint, tcp://HOST:PORT, where the host * is all addresses. The error is fault.Usage, or
// fault.Failed where the address cannot be had.
func ListenZMQ(endpoint string, o ZMQOptions) (*ZMQPublisher, error) {
	address, err := ZMQAddress(endpoint)
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{KeepAliveConfig: keepAlive()}
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fault.New(fault.Failed, "name another address, or see what has it", "cannot listen: %w", err)
	}
	o.fill()
	p := &ZMQPublisher{opts: o, readers: map[*reader]bool{}, changed: make(chan struct{})}
	p.listener = limit.NewListener(l, o.MaxClients, o.MaxClients/2, &p.connections)
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.running.Go(func() {
		if err := limit.Accept(ctx, p.listener, o.Log, func(nc net.Conn) { p.running.Go(func() { p.serve(nc) }) }); err != nil {
			o.Log.Error("no further subscribers", "cause", err)
		}
	})
	return p, nil
}

// Addr is where it listens.
func (p *ZMQPublisher) Addr() net.Addr { return p.listener.Addr() }

// Status is how it stands now.
func (p *ZMQPublisher) Status() ZMQStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statusNow()
}

func (p *ZMQPublisher) statusNow() ZMQStatus {
	status := ZMQStatus{Dropped: p.dropped}
	for r := range p.readers {
		if len(r.topics) > 0 {
			status.Subscribers++
		}
	}
	return status
}

// Await waits until that many have subscribed to something. The error is of the context.
func (p *ZMQPublisher) Await(ctx context.Context, subscribers int) error {
	for {
		p.mu.Lock()
		there, changed := p.statusNow().Subscribers, p.changed
		p.mu.Unlock()
		if there >= subscribers {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fullQueues is how many subscribers may have MaxQueue each. More share what these have: a crowd that reads nothing takes no more
// memory than they, or little more where it comes one after the other.
const fullQueues = 4

// Publish puts a message into the queue of each who subscribed to it, and drops it for those whose queue is full. The error is
// net.ErrClosed after Close.
func (p *ZMQPublisher) Publish(_ context.Context, message []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	most := p.opts.MaxQueue * fullQueues / max(fullQueues, len(p.readers))
	var framed []byte
	for r := range p.readers {
		if !r.wants(message) {
			continue
		}
		if framed == nil {
			framed = appendFrame(make([]byte, 0, len(message)+9), 0, message)
		}
		if !r.put(framed, most) {
			p.drop(r)
		}
	}
	return nil
}

// drop counts a message that a subscriber does not get, and logs the first since it had them all.
func (p *ZMQPublisher) drop(r *reader) {
	p.dropped++
	if !r.slow {
		r.slow = true
		p.opts.Log.Warn("a subscriber is too slow, and misses messages", "from", r.conn.RemoteAddr())
	}
}

// Close gives subscribers Linger to take what waits for them, and ends all connections. Its error says that some did not.
func (p *ZMQPublisher) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	for r := range p.readers {
		r.finish()
	}
	p.mu.Unlock()
	p.stop()
	err := p.listener.Close()
	late := time.AfterFunc(p.opts.Linger, p.cut)
	p.running.Wait()
	late.Stop()
	if p.late > 0 {
		return fault.New(fault.Unreachable, "", "%d subscribers may not have the last messages", p.late)
	}
	return err
}

// cut closes the connections of those who are still there.
func (p *ZMQPublisher) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = len(p.readers)
	for r := range p.readers {
		_ = r.conn.Close()
	}
}

// serve is a connection from its handshake to its end.
func (p *ZMQPublisher) serve(conn net.Conn) {
	r := newReader(conn)
	defer conn.Close()
	if !p.enter(r) {
		return
	}
	defer p.leave(r)
	from := conn.RemoteAddr().String()
	if err := shake(conn, r.in, p.opts.StepTime, "PUB", "SUB", "XSUB"); err != nil {
		p.opts.Log.Info("no subscriber", "from", from, "cause", err)
		return
	}
	p.change(func() { r.ready = true })
	p.opts.Log.Info("subscriber", "from", from)
	var writing sync.WaitGroup
	writing.Go(func() { p.write(r) })
	err := p.listen(r)
	p.change(func() { r.gone = true; r.rouse() })
	_ = conn.Close()
	writing.Wait()
	p.opts.Log.Info("subscriber gone", "from", from, "cause", err)
}

func (p *ZMQPublisher) enter(r *reader) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.readers[r] = true
	}
	return !p.closed
}

func (p *ZMQPublisher) leave(r *reader) { p.change(func() { delete(p.readers, r) }) }

// change does something under the lock, and lets Await look again.
func (p *ZMQPublisher) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
	close(p.changed)
	p.changed = make(chan struct{})
}

// listen hears what a subscriber wants, until it is gone. Who wants nothing for StepTime has to go, so that no one keeps a place
// by a mere handshake.
func (p *ZMQPublisher) listen(r *reader) error {
	for wanted := true; ; {
		if wants := len(r.topics) > 0; wants != wanted {
			wanted = wants
			if err := r.hurry(p.opts.StepTime); err != nil {
				return err
			}
		}
		name, rest, err := r.hear()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errIdle
		}
		if err != nil {
			return err
		}
		p.change(func() { err = r.obey(name, rest) })
		if err != nil {
			return err
		}
	}
}

// write sends what waits for a subscriber, as much at a time as is there, until it is gone, or Close wants no more.
func (p *ZMQPublisher) write(r *reader) {
	var chunk []byte
	for {
		var done bool
		p.mu.Lock()
		chunk, done = r.take(chunk[:0])
		p.mu.Unlock()
		switch {
		case len(chunk) > 0:
			if err := r.send(chunk, p.opts.StallTime); err != nil {
				_ = r.conn.Close() // ends listen
				return
			}
		case done:
			r.closeWrite()
			return
		default:
			<-r.wake
		}
	}
}
