package sqlstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

// writeEnv names the database that the test binary fills until it is killed.
const writeEnv = "SQLSTORE_TEST_WRITE"

func TestMain(m *testing.M) {
	if path := os.Getenv(writeEnv); path != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled adds logins and keys from many goroutines and prints the number of
// each once it was acknowledged. It goes on where an earlier run of it was killed.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, path, storetest.Signer())
	if err != nil {
		return err
	}
	from := uint64(os.Getpid()) << 32
	var failed error
	var once sync.Once
	var all sync.WaitGroup
	const writers = 32
	for w := range uint64(writers) {
		all.Go(func() {
			for n := from + w; ; n += writers {
				if err := addNumber(ctx, s, n); err != nil {
					once.Do(func() { failed = err })
					return
				}
				fmt.Println(n)
			}
		})
	}
	all.Wait()
	return failed
}

func numbered(n uint64) (store.Key, store.Login, store.Token) {
	k := store.Key{User: fmt.Sprint("user", n), Public: number(n), Created: start}
	l, t := login(n)
	t.User, t.Key = k.User, k.Public.Fingerprint()
	return k, l, t
}

func addNumber(ctx context.Context, s store.Store, n uint64) error {
	k, l, t := numbered(n)
	if err := s.AddUser(ctx, store.User{Name: k.User, Created: start}, storetest.Act("test")); err != nil {
		return err
	}
	if err := s.AddKey(ctx, k, storetest.Act("test")); err != nil {
		return err
	}
	return s.AddLogin(ctx, l, t)
}

// TestKill kills a writing process again and again. What it had acknowledged is there
// afterwards, each login with its token.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	for acks := 1; acks <= 3000; acks = acks*5 + 1 {
		acknowledged := killAfter(t, path, acks)
		s, err := sqlstore.Open(t.Context(), path, storetest.Signer())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range acknowledged {
			k, l, token := numbered(n)
			if list, err := s.Keys(t.Context(), k.User); err != nil || len(list) != 1 || list[0].Public != k.Public {
				t.Fatalf("a key that was acknowledged is lost, of %d: %v", len(acknowledged), err)
			}
			if _, _, err := s.Token(t.Context(), token.Hash); err != nil {
				t.Fatalf("a token that was acknowledged: %v", err)
			}
			token.Hash[0]++
			if err := s.AddLogin(t.Context(), l, token); !errors.Is(err, store.ErrExists) {
				t.Fatalf("a login that was acknowledged, again: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter starts a writing process, kills it after so many acknowledgements, and returns
// all that it gave.
func killAfter(t *testing.T, path string, acks int) (acknowledged []uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writeEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n uint64
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			t.Fatal(err)
		}
		if acknowledged = append(acknowledged, n); len(acknowledged) == acks {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if len(acknowledged) < acks {
		t.Fatalf("the writer ended by itself after %d writes", len(acknowledged))
	}
	return acknowledged
}
