package natsdial

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/nats-io/nats.go"
)

// maxGreeting is how long the first line of a server may be. That of a cluster of a thousand servers has half of it.
const maxGreeting = 64 << 10

// greeted is a connection that does not believe all of the server's first line, its INFO. It comes before TLS, so that anybody on
// the way can write it: the servers that it names are left out, else the library would go there, and take them when their own certificates
// are good. A server names them again below TLS.
type greeted struct {
	net.Conn
	in io.Reader // nil before the first line
}

// Read reads as the connection does.
func (g *greeted) Read(b []byte) (int, error) {
	if g.in == nil {
		in, err := greet(g.Conn)
		if err != nil {
			return 0, err
		}
		g.in = in
	}
	return g.in.Read(b)
}

// greet gives what a server sends, without the other servers in the first line.
func greet(server io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(server, maxGreeting)
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%w: the first line has no end", nats.ErrNoInfoReceived)
	}
	if err != nil {
		return nil, err
	}
	text, is := bytes.CutPrefix(line, []byte("INFO "))
	var info nats.ServerInfo
	if !is || json.Unmarshal(text, &info) != nil {
		return nil, nats.ErrNoInfoReceived
	}
	info.ConnectURLs = nil
	text, err = json.Marshal(info)
	if err != nil {
		return nil, err
	}
	behind, _ := in.Peek(in.Buffered())
	return io.MultiReader(bytes.NewReader(slices.Concat([]byte("INFO "), text, []byte("\r\n"), behind)), server), nil
}
