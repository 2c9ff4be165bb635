package restclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"keyward/fault"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/restclient"
)

// startRegistry stands for a registry, with the certificate of its server.
func startRegistry() *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle("POST "+wire.PathToken, answer(200, "application/json", `{"access_token":"secret","token_type":"Bearer","expires_in":900}`))
	mux.Handle("GET "+wire.PathServerKey, answer(200, "application/json", `{"key":"`+publicKey+`"}`))
	mux.Handle("GET "+wire.PathProject, answer(200, "application/json", `{"rows":[["licmon"]]}`))
	mux.Handle("GET "+wire.PathKeys, answer(200, "application/json", `{"keys":[{"user":"user1","key":"`+publicKey+`","description":"Backup key"}]}`))
	mux.Handle("POST "+wire.PathUserKeys, answer(409, "application/json", `{"error":"exists","message":"user1 has this key already"}`))
	return httptest.NewTLSServer(mux)
}

func Example() {
	server := startRegistry()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	client, err := restclient.New(server.URL+"/project", restclient.Options{TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	token, err := client.LoginPassword(ctx, "user1", "correct horse")
	if err != nil {
		log.Fatal(err)
	}
	for key, err := range client.AllKeys(ctx, token) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key.User, key.Key, key.Description)
	}

	pair, err := keys.Generate()
	if err != nil {
		log.Fatal(err)
	}
	err = client.AddKey(ctx, token, "user1", wire.NewKey{Key: pair.Public.String(), Description: "laptop"})
	if errors.Is(err, fault.Exists) {
		fmt.Println("nothing to add")
	}
	fmt.Println(token)
	// Output:
	// user1 32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0= Backup key
	// nothing to add
	// [token]
}

// Log in with a key. Keep the server's key from the first time on: whoever else holds it can read the login.
func ExampleClient_LoginKey() {
	server := startRegistry()
	defer server.Close()
	trust, err := restclient.Pinned(restclient.Pin(server.Certificate()))
	if err != nil {
		log.Fatal(err)
	}
	client, err := restclient.New(server.URL, restclient.Options{TLS: trust})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	pair, err := keys.Generate()
	if err != nil {
		log.Fatal(err)
	}
	serverKey, err := client.ServerKey(ctx)
	if err != nil {
		log.Fatal(err)
	}
	token, err := client.LoginKey(ctx, "user1", pair, serverKey)
	if err != nil {
		log.Fatal(err)
	}
	project, err := client.Project(ctx, token)
	fmt.Println(project, err)
	// Output: licmon <nil>
}

// Trust on first use: nobody vouches for the server, so let a person compare the pin, and
// go on with nothing but that key.
func ExampleStranger() {
	server := startRegistry()
	defer server.Close()
	client, err := restclient.New(server.URL, restclient.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.ServerKey(context.Background())
	cert, ok := restclient.Stranger(err)
	if !ok {
		log.Fatal(err)
	}
	pin := restclient.Pin(cert)
	// Show the pin and ask; then keep it.
	trust, err := restclient.Pinned(pin)
	if err != nil {
		log.Fatal(err)
	}
	client, err = restclient.New(server.URL, restclient.Options{TLS: trust})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	key, err := client.ServerKey(context.Background())
	fmt.Println(key, err)
	// Output: 32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0= <nil>
}
