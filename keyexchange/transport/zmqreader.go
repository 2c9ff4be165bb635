package transport

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"time"
)

const (
	maxTopics = 64       // of one subscriber. A napalm-logs client has one, of no bytes.
	chunkSize = 64 << 10 // of what is written at a time, and a message more
	frameCost = 64       // bytes of memory that a frame takes beside its own while it waits
)

// reader is a subscriber of a publisher. What is not said to be otherwise is guarded by the publisher's lock.
type reader struct {
	conn net.Conn      // free to all
	in   *bufio.Reader // of the goroutine that listens
	wake chan struct{} // the writer has something to do

	topics    [][]byte
	queue     [][]byte // frames, shared with other readers and not changed
	waiting   int      // bytes of them, each counted with frameCost
	pong      []byte   // to the latest PING: who sends many and reads nothing fills no queue
	slow      bool     // a message was dropped since the queue was empty
	ready     bool     // its handshake is done
	finishing bool     // nothing more will come
	gone      bool
}

func newReader(conn net.Conn) *reader {
	return &reader{conn: conn, in: bufio.NewReaderSize(conn, 4<<10), wake: make(chan struct{}, 1)}
}

// wants says whether one of its topics begins the message.
func (r *reader) wants(message []byte) bool {
	return slices.ContainsFunc(r.topics, func(topic []byte) bool { return bytes.HasPrefix(message, topic) })
}

// put queues a frame; not ok where more than most bytes would wait. Where none waits a frame of any size is taken.
func (r *reader) put(frame []byte, most int) (ok bool) {
	cost := len(frame) + frameCost
	if r.waiting > 0 && r.waiting+cost > most {
		return false
	}
	r.queue = append(r.queue, frame)
	r.waiting += cost
	r.rouse()
	return true
}

func (r *reader) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// finish lets the writer end when the queue is empty.
func (r *reader) finish() {
	r.finishing = true
	if !r.ready {
		_ = r.conn.Close()
	}
	r.rouse()
}

// take moves the answer to a PING and frames from the queue to the end of dst. Where there are none, done says that none will come.
func (r *reader) take(dst []byte) (chunk []byte, done bool) {
	if r.gone {
		return nil, true
	}
	dst, r.pong = append(dst, r.pong...), nil
	taken := 0
	for ; taken < len(r.queue) && len(dst) < chunkSize; taken++ {
		dst = append(dst, r.queue[taken]...)
		r.waiting -= len(r.queue[taken]) + frameCost
		r.queue[taken] = nil
	}
	r.queue = r.queue[taken:]
	if len(r.queue) == 0 {
		r.queue, r.slow = nil, false
	}
	return dst, r.finishing
}

// send writes a chunk within that time.
func (r *reader) send(chunk []byte, within time.Duration) error {
	if err := r.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := r.conn.Write(chunk)
	return err
}

// closeWrite tells the subscriber that nothing follows. Closed at once, the connection could be reset by what it still sends,
// and the last messages be lost.
func (r *reader) closeWrite() {
	if half, ok := r.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	_ = r.conn.Close()
}

// hurry gives a subscriber that wants nothing that long to want something. Else it has all the time.
func (r *reader) hurry(within time.Duration) error {
	if len(r.topics) > 0 {
		return r.conn.SetReadDeadline(time.Time{})
	}
	return r.conn.SetReadDeadline(time.Now().Add(within))
}

// hear reads the next thing that the subscriber says: a command, or a message, whose name is empty.
func (r *reader) hear() (name string, rest []byte, err error) {
	f, err := readFrame(r.in)
	if err != nil {
		return "", nil, err
	}
	if f.command() {
		return readCommand(r.in, f)
	}
	if f.size > maxCommand || f.more() {
		return "", nil, errGarbage
	}
	rest = make([]byte, f.size)
	_, err = io.ReadFull(r.in, rest)
	return "", rest, within(err)
}

// obey does what the subscriber says. A topic stands after a 1 or a 0, or in a command.
func (r *reader) obey(name string, rest []byte) error {
	switch {
	case name == "PING":
		r.pong = pong(rest)
		r.rouse()
	case name == "SUBSCRIBE":
		return r.subscribe(rest)
	case name == "CANCEL":
		r.unsubscribe(rest)
	case name == "" && len(rest) > 0 && rest[0] == 1:
		return r.subscribe(rest[1:])
	case name == "" && len(rest) > 0 && rest[0] == 0:
		r.unsubscribe(rest[1:])
	}
	return nil
}

func (r *reader) subscribe(topic []byte) error {
	if len(r.topics) == maxTopics {
		return errTopics
	}
	r.topics = append(r.topics, topic)
	return nil
}

// unsubscribe ends one subscription to the topic: who subscribed to it twice has another.
func (r *reader) unsubscribe(topic []byte) {
	if i := slices.IndexFunc(r.topics, func(t []byte) bool { return bytes.Equal(t, topic) }); i >= 0 {
		r.topics = slices.Delete(r.topics, i, i+1)
	}
}
