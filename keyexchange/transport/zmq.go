package transport

import (
	"bufio"
	"cmp"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"keyward/fault"
)

// ZMQOptions are what both ends of ZeroMQ may be told; what is zero has the default that stands with it.
type ZMQOptions struct {
	MaxMessage int           // bytes of a message that a subscriber takes: DefaultMaxMessage
	MaxQueue   int           // bytes that wait for one subscriber, and 64 for each message, before messages to it are dropped: 64 MiB. More than 4 share what 4 have.
	MaxClients int           // connections that a publisher has: DefaultMaxClients. More wait until they are accepted.
	StepTime   time.Duration // for connecting, for the handshake, and for a subscriber to subscribe to something: 10 seconds
	StallTime  time.Duration // after which a subscriber that takes nothing is sent away: a minute
	Linger     time.Duration // for subscribers to take what is left when a publisher closes: 5 seconds
	Log        *slog.Logger  // hears of connections that come and go; nil is none
}

// DefaultMaxClients is how many connections a ZeroMQ publisher has at most, where nobody says how many.
const DefaultMaxClients = 1024

func (o *ZMQOptions) fill() {
	o.MaxMessage = cmp.Or(o.MaxMessage, DefaultMaxMessage)
	o.MaxQueue = cmp.Or(o.MaxQueue, 64<<20)
	o.MaxClients = cmp.Or(o.MaxClients, DefaultMaxClients)
	o.StepTime = cmp.Or(o.StepTime, 10*time.Second)
	o.StallTime = cmp.Or(o.StallTime, time.Minute)
	o.Linger = cmp.Or(o.Linger, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

const endpointHint = "write it as tcp://HOST:PORT"

// ZMQAddress is the host and port of an endpoint as ZeroMQ writes them. The host * is empty in it: all addresses of the machine.
// The error is fault.Usage.
func ZMQAddress(endpoint string) (string, error) {
	address, ok := strings.CutPrefix(endpoint, "tcp://")
	if !ok {
		return "", fault.New(fault.Usage, endpointHint, "%q is no ZeroMQ endpoint of TCP", endpoint)
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fault.New(fault.Usage, endpointHint, "%q has no host and port", endpoint)
	}
	if host == "*" {
		host = ""
	}
	return net.JoinHostPort(host, port), nil
}

// keepAlive notices within half a minute that a peer's machine is gone.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}
}

// shake greets the peer, and learns that it is a socket of one of those types.
func shake(conn net.Conn, in *bufio.Reader, step time.Duration, ours string, theirs ...string) error {
	if err := conn.SetDeadline(time.Now().Add(step)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, greeting); err != nil {
		return err
	}
	if err := readGreeting(in); err != nil {
		return err
	}
	if _, err := conn.Write(ready(ours)); err != nil {
		return err
	}
	if err := readReady(in, theirs...); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}
