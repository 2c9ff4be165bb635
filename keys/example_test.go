package keys_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"keyward/keys"
)

// A key pair is made once, saved, and loaded whenever it is needed.
func Example() {
	ctx := context.Background()
	home, err := os.MkdirTemp("", "keys")
	if err != nil {
		log.Fatal(err)
	}

	pair, err := keys.Generate()
	if err != nil {
		log.Fatal(err)
	}
	path := keys.DefaultPath(home)
	if _, err := keys.Save(ctx, path, pair, false, time.Now()); err != nil {
		log.Fatal(err)
	}
	loaded, err := keys.Load(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(path), loaded.Public == pair.Public)
	fmt.Println(loaded.Private)
	os.RemoveAll(home)
	// Output:
	// userkey true
	// [private key]
}

// A user seals the time to the server's public key; the server opens it with the key that
// it shares with the user's registered public key.
func ExampleSealLogin() {
	user, err := keys.Generate()
	if err != nil {
		log.Fatal(err)
	}
	serverPair, err := keys.Generate()
	if err != nil {
		log.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 21, 37, 8, 0, time.UTC)
	apikey, err := keys.SealLogin(user, serverPair.Public, at)
	if err != nil {
		log.Fatal(err)
	}

	server, err := keys.NewServer(serverPair)
	if err != nil {
		log.Fatal(err)
	}
	shared, err := server.SharedKey(user.Public) // keep it for the user's next login
	if err != nil {
		log.Fatal(err)
	}
	login, err := keys.ParseLogin(apikey)
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := login.Open(shared)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sealed)
	// Output: 2026-11-21 21:37:08 +0000 UTC
}

func ExampleParsePublic() {
	key, err := keys.ParsePublic("32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0=")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Fingerprint())
	// Output: sha256:76150ea94e638bcef1a4bdb126e80d34f27742302ea17a3f52f6cedb7265c3c2
}

func ExampleParseUserkey() {
	pair, err := keys.ParseUserkey([]byte(`
		set vov(private) {32:dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=}
	`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pair.Public)
	// Output: 32:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
}
