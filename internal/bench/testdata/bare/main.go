// Bare is net/http over TLS and nothing else: it answers whatever comes with one JSON body.
//
//	bare CERTFILE KEYFILE
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

const answer = `{"access_token":"0123456789012345678901234567890123456789012","token_type":"Bearer","expires_in":900}`

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("https://" + l.Addr().String())
	log.Fatal(http.ServeTLS(l, http.HandlerFunc(reply), os.Args[1], os.Args[2]))
}

func reply(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, answer)
}
