package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// What ZMTP 3.0 says (https://rfc.zeromq.org/spec/23/), as far as PUB and SUB with the NULL mechanism need it. Both ends send a
// greeting, then a READY command with their type. Everything after that are frames: flags, a length of 1 byte or 8, a body.
// A subscriber subscribes with a message of one frame, of 3.1 with a command (https://rfc.zeromq.org/spec/37/).
const (
	nulls     = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	mechanism = "NULL" + nulls
	greeting  = "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" + "\x03\x00" + mechanism + nulls + nulls

	flagMore    = 1
	flagLong    = 2
	flagCommand = 4

	maxCommand = 4 << 10 // bytes of a command: they are far below
)

var (
	errGarbage = errors.New("the peer does not speak ZMTP 3 with the NULL mechanism")
	errTopics  = errors.New("the subscriber has too many topics")
	errIdle    = errors.New("it subscribed to nothing in its time")
)

// readGreeting reads the peer's greeting. What does not begin as one is refused at its first byte.
func readGreeting(r *bufio.Reader) error {
	first, err := r.Peek(1)
	if err != nil {
		return err
	}
	if first[0] != greeting[0] {
		return errGarbage
	}
	var g [len(greeting)]byte
	if _, err := io.ReadFull(r, g[:]); err != nil {
		return err
	}
	if g[9] != greeting[9] || g[10] < 3 || string(g[12:32]) != mechanism {
		return errGarbage
	}
	return nil
}

// frame is the head of a frame: its body follows.
type frame struct {
	flags byte
	size  uint64
}

func (f frame) more() bool    { return f.flags&flagMore != 0 }
func (f frame) command() bool { return f.flags&flagCommand != 0 }

func readFrame(r *bufio.Reader) (frame, error) {
	flags, err := r.ReadByte()
	if err != nil {
		return frame{}, err
	}
	if flags&^(flagMore|flagLong|flagCommand) != 0 {
		return frame{}, errGarbage
	}
	var size [8]byte
	if flags&flagLong != 0 {
		_, err = io.ReadFull(r, size[:])
	} else {
		size[7], err = r.ReadByte()
	}
	return frame{flags, binary.BigEndian.Uint64(size[:])}, within(err)
}

// appendFrame appends a frame that is the last of its message.
func appendFrame(dst []byte, flags byte, body []byte) []byte {
	if len(body) > 255 {
		dst = append(dst, flags|flagLong)
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(body)))
	} else {
		dst = append(dst, flags, byte(len(body)))
	}
	return append(dst, body...)
}

// command makes a command: a frame with a name before the rest.
func command(name string, rest []byte) []byte {
	body := append([]byte{byte(len(name))}, name...)
	return appendFrame(nil, flagCommand, append(body, rest...))
}

// readCommand reads the body of a command, of at most maxCommand bytes.
func readCommand(r *bufio.Reader, f frame) (name string, rest []byte, err error) {
	if f.size > maxCommand || f.more() {
		return "", nil, errGarbage
	}
	body := make([]byte, f.size)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", nil, within(err)
	}
	if len(body) == 0 || int(body[0]) >= len(body) {
		return "", nil, errGarbage
	}
	return string(body[1 : 1+body[0]]), body[1+body[0]:], nil
}

// ready is the command that ends the handshake, of a socket of that type.
func ready(socketType string) []byte {
	property := append([]byte{11}, "Socket-Type"...)
	property = binary.BigEndian.AppendUint32(property, uint32(len(socketType)))
	return command("READY", append(property, socketType...))
}

// readReady reads the peer's READY, and says whether it is of one of the types.
func readReady(r *bufio.Reader, types ...string) error {
	f, err := readFrame(r)
	if err != nil {
		return err
	}
	if !f.command() {
		return errGarbage
	}
	name, rest, err := readCommand(r, f)
	if err != nil {
		return err
	}
	if name != "READY" {
		return fmt.Errorf("the peer ends the handshake with %.20q", name)
	}
	socketType, err := property(rest, "Socket-Type")
	if err != nil {
		return err
	}
	if !slices.Contains(types, socketType) {
		return fmt.Errorf("the peer is a socket of the type %.20q, and should be %s", socketType, types[0])
	}
	return nil
}

// property finds a property of a READY: each has a length of 1 byte, a name, a length of 4 bytes and a value.
func property(list []byte, wanted string) (string, error) {
	for len(list) > 0 {
		nameEnd := 1 + int(list[0])
		if len(list) < nameEnd+4 {
			return "", errGarbage
		}
		size := uint64(binary.BigEndian.Uint32(list[nameEnd:]))
		name, value := list[1:nameEnd], list[nameEnd+4:]
		if size > uint64(len(value)) {
			return "", errGarbage
		}
		if bytes.EqualFold(name, []byte(wanted)) {
			return string(value[:size]), nil
		}
		list = value[size:]
	}
	return "", nil
}

// pong answers a PING, which has a time of 2 bytes and a context that the answer repeats.
func pong(rest []byte) []byte {
	return command("PONG", rest[min(2, len(rest)):])
}
