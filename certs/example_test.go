package certs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"keyward/certs"
	"keyward/fault"
)

// A root that signs only for one domain, and a server's certificate below it.
func Example() {
	at := time.Now()
	root, err := certs.Issue(certs.Request{
		Role:         certs.Root,
		Organization: "Example Root",
		PermitDNS:    []string{"example.com"},
	}, nil, at)
	if err != nil {
		log.Fatal(err)
	}
	server, err := certs.Issue(certs.Request{
		Role:         certs.Leaf,
		Profile:      certs.Server,
		Organization: "Example",
		SANs:         []string{"www.example.com"},
	}, root.Issuer(), at)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Cert.Subject, "of", server.Cert.Issuer, "for", server.Cert.DNSNames)

	_, err = certs.Issue(certs.Request{Role: certs.Leaf, Organization: "Example", SANs: []string{"www.example.org"}}, root.Issuer(), at)
	fmt.Println(errors.Is(err, fault.Policy), err)
	// Output:
	// O=Example of O=Example Root for [www.example.com]
	// true DNS name www.example.org is outside the name constraints of "O=Example Root", which permit example.com
}

// Files that Write makes are read by LoadIssuer, and by Micronets peers.
func ExampleWrite() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, base := context.Background(), filepath.Join(dir, "root")

	root, err := certs.Issue(certs.Request{Role: certs.Root, Profile: certs.Micronets, Organization: "root-RootCA"}, nil, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	paths, err := certs.Write(ctx, base, root, certs.Placing{})
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range paths {
		fmt.Println(filepath.Base(path))
	}
	issuer, _, err := certs.LoadIssuer(ctx, base+".cert.pem", base+".key.pem", nil, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(issuer.Chain[0].Subject)
	// Output:
	// root.key.pem
	// root.cert.pem
	// root.cert.der
	// O=root-RootCA
}

func ExampleParseDays() {
	at := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	for _, s := range []string{"90", "12w", "1y", "2027-01-01"} {
		end, err := certs.ParseDays(s, at)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(end)
	}
	// Output:
	// 2026-05-01 09:00:00 +0000 UTC
	// 2026-04-25 09:00:00 +0000 UTC
	// 2027-01-31 09:00:00 +0000 UTC
	// 2027-01-01 23:59:59 +0000 UTC
}
