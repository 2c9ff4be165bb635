// Rawrelay joins two peers over mutual TLS and nothing else. A message is its length, four bytes with the highest first, and
// its bytes. A peer's first one is the name of its meetup, and goes to its peer as the others do.
//
//	rawrelay CERTFILE KEYFILE CAFILE
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

const (
	lengthSize = 4
	maxMessage = 1 << 20
)

func main() {
	config, err := load(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("tls://" + l.Addr().String())
	arrived := make(chan *peer)
	go introduce(arrived)
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			if err := serve(c, arrived); err != nil {
				log.Print(err)
			}
		}()
	}
}

func load(cert, key, ca string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New(ca + " has no certificate")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}, nil
}

// peer is a connection and its first message.
type peer struct {
	net.Conn
	hello []byte
	mate  chan *peer
}

// introduce gives each of two peers the other.
func introduce(arrived <-chan *peer) {
	waiting := map[string]*peer{}
	for p := range arrived {
		name := string(p.hello)
		mate := waiting[name]
		if mate == nil {
			waiting[name] = p
			continue
		}
		delete(waiting, name)
		p.mate <- mate
		mate.mate <- p
	}
}

// serve takes one peer's messages to the other.
func serve(c net.Conn, arrived chan<- *peer) error {
	defer c.Close()
	in := bufio.NewReader(c)
	hello, err := read(in, nil)
	if err != nil {
		return err
	}
	p := &peer{Conn: c, hello: bytes.Clone(hello[lengthSize:]), mate: make(chan *peer, 1)}
	arrived <- p
	mate := <-p.mate
	defer mate.Close()
	for message := hello; ; {
		if _, err := mate.Write(message); err != nil {
			return err
		}
		if message, err = read(in, message); err != nil {
			return err
		}
	}
}

// read reads a message with its length before it, into room where that is large enough.
func read(in *bufio.Reader, room []byte) ([]byte, error) {
	length, err := in.Peek(lengthSize)
	if err != nil {
		return nil, err
	}
	size := lengthSize + int(binary.BigEndian.Uint32(length))
	if size > lengthSize+maxMessage {
		return nil, errors.New("the message is too big")
	}
	if cap(room) < size {
		room = make([]byte, size)
	}
	_, err = io.ReadFull(in, room[:size])
	return room[:size], err
}
