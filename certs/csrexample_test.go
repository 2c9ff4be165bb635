package certs_test

import (
	"fmt"
	"log"
	"time"

	"keyward/certs"
)

// A CA signs somebody else's request, whose names its own list allows.
func ExampleParseCSR() {
	at := time.Now()
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Example Root"}, nil, at)
	if err != nil {
		log.Fatal(err)
	}
	key, err := certs.NewKey(certs.P256)
	if err != nil {
		log.Fatal(err)
	}
	theirs, err := certs.NewCSR("Example Web", []string{"www.example.com"}, key)
	if err != nil {
		log.Fatal(err)
	}

	csr, err := certs.ParseCSR(theirs.PEM())
	if err != nil {
		log.Fatal(err)
	}
	names, err := csr.Names()
	if err != nil {
		log.Fatal(err)
	}
	organization, err := csr.Organization()
	if err != nil {
		log.Fatal(err)
	}
	allow, err := certs.ParseAllow([]string{"*.example.com", "10.0.0.0/8"})
	if err != nil {
		log.Fatal(err)
	}
	if err := allow.Check(names); err != nil {
		log.Fatal(err)
	}
	issued, err := certs.Issue(certs.Request{
		Role: certs.Leaf, Organization: organization, SANs: names, PublicKey: csr.PublicKey,
	}, root.Issuer(), at)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(issued.Cert.Subject, "for", issued.Cert.DNSNames)
	fmt.Println(allow.Check([]string{"www.example.com", "www.evil.example"}))
	// Output:
	// O=Example Web for [www.example.com]
	// no --allow covers www.evil.example
}
