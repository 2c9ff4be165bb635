// Package transport carries messages as they are, sealed or not, from who publishes them to who reads them: over ZeroMQ, as the
// original does, over NATS, or through a pipe.
//
// # ZeroMQ
//
// ListenZMQ is a PUB socket that binds, DialZMQ a SUB socket that connects and subscribes to everything. A message is one frame,
// without a topic. They speak ZMTP 3.0 over TCP (https://rfc.zeromq.org/spec/23/) with the NULL mechanism, as libzmq 4 does
// where nothing else is set. See zmtp.go.
//
// # NATS
//
// Core publish and subscribe on one subject: what nobody reads is gone, as in ZeroMQ. The body of a NATS message is ours.
//
// # The pipe
//
// Each message has its length before it, in 4 bytes, the highest first. A message of the 3 bytes "abc" is
//
//	00 00 00 03 61 62 63
//
// and the stream ends after a message, not within one.
package transport

import (
	"context"
	"errors"
)

// DefaultMaxMessage is how many bytes a message may have where a reader does not say: 1 MiB.
const DefaultMaxMessage = 1 << 20

// Publisher sends messages to all who read now.
type Publisher interface {
	// Publish hands a message over, and keeps no part of it. It waits for nobody who reads too slowly, but a pipe's for its
	// reader. An error is of all messages to come, unless it is an ErrBad.
	Publish(ctx context.Context, message []byte) error
	// Close waits, for some seconds at most, until what was published is on its way. Its error says that some of it is not.
	Close() error
}

// Subscriber gets messages in the order in which they were published. It is for one goroutine, but for Close.
type Subscriber interface {
	// Receive waits for a message, which the caller may keep. It connects again by itself where a connection was lost. The error
	// is io.EOF after the last message of a stream that has an end, context.Cause(ctx), or net.ErrClosed after Close; an ErrBad
	// is of one message alone, and the next Receive goes on.
	Receive(ctx context.Context) ([]byte, error)
	Close() error
}

// ErrBad is of a message that a transport does not take or give out: it is too long, or has several frames.
var ErrBad = errors.New("bad message")
