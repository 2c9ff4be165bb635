// Bareverify is crypto/x509's Verify of many certificate files on all cores, and nothing else.
//
//	bareverify ROOT INTERMEDIATE FILE...
package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	opts := x509.VerifyOptions{
		Roots: pool(os.Args[1]), Intermediates: pool(os.Args[2]),
		CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	files := os.Args[3:]
	var next atomic.Int64
	var working sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				verify(files[i], opts)
			}
		})
	}
	working.Wait()
}

func pool(file string) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(read(file))
	return p
}

func read(file string) *x509.Certificate {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		log.Fatal(file, ": ", errors.New("no PEM"))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		log.Fatal(file, ": ", err)
	}
	return cert
}

func verify(file string, opts x509.VerifyOptions) {
	if _, err := read(file).Verify(opts); err != nil {
		log.Fatal(file, ": ", err)
	}
}
