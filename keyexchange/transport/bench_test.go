//go:build unix

package transport

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// cpu is what this process has used until now, the system's work for it included.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each runs a benchmark's part that is measured, and reports the CPU of one message, of both ends where both are here.
func each(b *testing.B, do func()) {
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	do()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkReceiveZMQ reads what a connection brings as fast as it can.
func BenchmarkReceiveZMQ(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		many := bytes.Repeat(appendFrame(nil, 0, make([]byte, 1024)), 64)
		_, err = io.WriteString(conn, hello("PUB"))
		for err == nil {
			_, err = conn.Write(many)
		}
	}()
	s := dial(b, "tcp://"+l.Addr().String(), ZMQOptions{})
	_, err = s.Receive(b.Context())
	check(b, err)
	each(b, func() {
		for range b.N {
			_, err := s.Receive(b.Context())
			check(b, err)
		}
	})
}

// BenchmarkPublishZMQ publishes to a subscriber that throws away what it reads, as fast as that is.
func BenchmarkPublishZMQ(b *testing.B) {
	p, _ := listen(b, ZMQOptions{Linger: time.Minute})
	conn, err := net.Dial("tcp", p.Addr().String())
	check(b, err)
	defer conn.Close()
	_, err = io.WriteString(conn, hello("SUB")+"\x00\x01\x01")
	check(b, err)
	read := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, conn)
		_ = conn.Close()
		read <- n
	}()
	check(b, p.Await(b.Context(), 1))
	message := make([]byte, 1024)
	each(b, func() {
		for range b.N {
			check(b, p.Publish(b.Context(), message))
		}
		check(b, p.Close())
		<-read
	})
	b.ReportMetric(float64(p.Status().Dropped)/float64(b.N), "dropped/op")
}

// BenchmarkNATS publishes to a stock server, and reads it back.
func BenchmarkNATS(b *testing.B) {
	address, _ := natsServer(b, -1, "")
	o := NATSOptions{URL: "nats://" + address, Subject: "a", MaxQueue: 1 << 30}
	message := make([]byte, 1024)
	b.Run("publish", func(b *testing.B) {
		p, err := DialNATSPublisher(b.Context(), o)
		check(b, err)
		each(b, func() {
			for range b.N {
				check(b, p.Publish(b.Context(), message))
			}
			check(b, p.Close())
		})
	})
	b.Run("both", func(b *testing.B) {
		p, err := DialNATSPublisher(b.Context(), o)
		check(b, err)
		s, err := DialNATSSubscriber(b.Context(), o)
		check(b, err)
		defer s.Close()
		each(b, func() {
			for range b.N {
				check(b, p.Publish(b.Context(), message))
			}
			for range b.N {
				_, err := s.Receive(b.Context())
				check(b, err)
			}
		})
		check(b, p.Close())
	})
}
