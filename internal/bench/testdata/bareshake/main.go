// Bareshake does TLS handshakes and nothing else: it closes each connection when it is there.
//
//	bareshake CERTFILE KEYFILE
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"os"
)

func main() {
	pair, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("tls://" + l.Addr().String())
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			if err := c.(*tls.Conn).Handshake(); err != nil {
				log.Print(err)
			}
		}()
	}
}
