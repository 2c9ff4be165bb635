package relay

import "net"

// bursts is a connection that is read in large parts while much comes, so that what comes together is there together. It lies
// below TLS, which by itself reads little more than a record. One goroutine reads.
type bursts struct {
	net.Conn
	idle  func() // is called before each read that may wait; nil: nobody wants to know
	full  bool   // the last read got as much as it could: more may be there
	room  *chunk // nil while nothing is kept
	there []byte // of room
}

func (b *bursts) Read(p []byte) (int, error) {
	if b.room == nil {
		if b.idle != nil {
			b.idle()
		}
		if !b.full {
			n, err := b.Conn.Read(p)
			b.full = n == len(p)
			return n, err
		}
		if err := b.read(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.there)
	if b.there = b.there[n:]; len(b.there) == 0 {
		b.drop()
	}
	return n, nil
}

// read keeps what one read gets.
func (b *bursts) read() error {
	b.room = chunks.Get().(*chunk)
	n, err := b.Conn.Read(b.room[:])
	if n == 0 {
		b.drop()
		return err
	}
	b.there, b.full = b.room[:n], n == len(b.room)
	return nil
}

func (b *bursts) drop() {
	chunks.Put(b.room)
	b.room = nil
}
