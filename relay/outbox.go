package relay

import "github.com/gobwas/ws"

// outbox gathers the frames for a peer while more is there of what its mate sent, so that they go together.
type outbox struct {
	room       *chunk // nil while nothing is in it
	sent, done int    // of room; the frames between them are whole
}

const outHeader = 4 // bytes of the largest header of what fits a chunk, without a mask

// left is how large a message may be that fits beside what is there.
func (o *outbox) left() int64 { return int64(len(o.room) - o.done - outHeader) }

// space is where the next frame's payload goes.
func (o *outbox) space() []byte {
	if o.room == nil {
		o.room = chunks.Get().(*chunk)
	}
	if o.sent == o.done {
		o.sent, o.done = 0, 0
	}
	at := o.done + outHeader
	return o.room[at:min(at+chunkSize, len(o.room))]
}

// add makes a frame of the first n bytes of the space.
func (o *outbox) add(op ws.OpCode, last bool, n int) {
	h := ws.Header{Fin: last, OpCode: op, Length: int64(n)}
	at := o.done + ws.HeaderSize(h)
	copy(o.room[at:], o.room[o.done+outHeader:][:n]) // what is not tiny lies there already
	appendHeader(o.room[:o.done], h)
	o.done = at + n
}

// take returns what is to be sent, until the next call of another method.
func (o *outbox) take() []byte {
	if o.sent == o.done {
		return nil
	}
	frames := o.room[o.sent:o.done]
	o.sent = o.done
	return frames
}

// empty frees the room. What is in it is lost.
func (o *outbox) empty() {
	if o.room != nil {
		chunks.Put(o.room)
	}
	*o = outbox{}
}
