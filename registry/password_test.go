package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"

	"keyward/fault"
	"keyward/internal/limit"
)

func TestHashPassword(t *testing.T) {
	for _, length := range []int{0, minPassword - 1, maxPassword + 1} {
		if _, err := HashPassword(strings.Repeat("x", length)); !errors.Is(err, fault.Policy) || fault.HintOf(err) == "" {
			t.Errorf("a password of %d bytes: %v", length, err)
		}
	}
	if _, err := HashPassword("p\xe4ssw\xf6rd"); !errors.Is(err, fault.Policy) || fault.HintOf(err) == "" {
		t.Errorf("a password in Latin-1: %v", err)
	}
	const password = "pässwörd"
	first, err := HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := HashPassword(password); again == first {
		t.Error("two hashes have one salt")
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(first)
	}
	h, err := parsePHC(first)
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches(password) || h.matches(password+"x") {
		t.Errorf("%s matches: its password %t, another %t", first, h.matches(password), h.matches(password+"x"))
	}
	want := argon2.IDKey([]byte(password), h.salt, 2, 19456, 1, 32)
	if string(want) != string(h.hash) {
		t.Error("the hash is not argon2id of the stated cost")
	}
}

func TestParsePHC(t *testing.T) {
	good := decoy().String()
	if _, err := parsePHC(good); err != nil {
		t.Errorf("%s: %v", good, err)
	}
	long := base64.RawStdEncoding.EncodeToString(make([]byte, maxHash+1))
	for _, bad := range []string{
		"", "x", good + " ", good + "=", good + "$", " " + good,
		strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "t=2", "t=02", 1),
		strings.Replace(good, "t=2", "t=17", 1),
		strings.Replace(good, "t=2", "t=4294967298", 1),
		strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=257", 1),
		strings.Replace(good, "m=19456", "m=7", 1),
		strings.Replace(good, "m=19456", "m=1000000", 1),
		good + long,
		"$argon2id$v=19$m=19456,t=2,p=1$" + long + "$" + long,
		"$argon2id$v=19$m=19456,t=2,p=1$$",
	} {
		if h, err := parsePHC(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, h)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(decoy().String())
	f.Add("$argon2id$v=19$m=65536,t=16,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$ $\n")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s || h.memory > maxMemory || h.time > maxTime || h.threads > maxThreads {
			t.Errorf("%q is taken for %s", s, h)
		}
	})
}

// TestHashing fills the places at work, one source's share and the queue, in this order.
func TestHashing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHashing()
		if h.turns.places != min(runtime.GOMAXPROCS(0), maxHashing) || h.turns.most != hashQueue {
			t.Errorf("%d at a time, %d wait", h.turns.places, h.turns.most)
		}
		release, ended := make(chan bool), make(chan error, 1000)
		atWork := 0
		start := func(from string) {
			go func() {
				ended <- h.do(t.Context(), limit.Source(from), func() { atWork++; <-release })
			}()
			synctest.Wait()
		}
		busy := func(ctx context.Context, from, why string) {
			t.Helper()
			began := time.Now()
			err := h.do(ctx, limit.Source(from), func() { t.Error(why, "and still work is done") })
			if waited := time.Since(began); err != errBusy || waited > 0 {
				t.Errorf("%s: %v, after %s", why, err, waited)
			}
		}
		const one = "192.0.2.1:1"
		for range h.turns.places {
			start(one)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		busy(cancelled, one, "nobody waits any more")
		for range hashShare - h.turns.places {
			start(one)
		}
		busy(t.Context(), one, "a source has its share")
		started := hashShare
		for ; h.turns.waiting < hashQueue; started++ {
			start(fmt.Sprintf("198.51.100.%d:1", started))
		}
		turnedAway := hashShare - h.turns.places - 1 // of the first source
		for range turnedAway {
			start(fmt.Sprintf("198.51.100.%d:1", started))
			started++
			if err := <-ended; err != errBusy {
				t.Errorf("for room in the queue: %v", err)
			}
		}
		if first := len(h.turns.queues[limit.Source(one)]); first != 1 {
			t.Errorf("the first source still has %d in the queue", first)
		}
		busy(t.Context(), "203.0.113.1:1", "the queue is full of sources that wait once")
		if atWork != h.turns.places || h.turns.held() != h.turns.places+hashQueue {
			t.Errorf("%d are at work, %d are held", atWork, h.turns.held())
		}
		time.Sleep(hashWait + 1) // by now all that wait were told
		for range started - turnedAway - atWork {
			if err := <-ended; err != errBusy {
				t.Errorf("after %s in the queue: %v", hashWait, err)
			}
		}
		close(release)
		for range atWork {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if h.turns.held()+len(h.turns.queues)+len(h.turns.order)+h.tally.Sources() != 0 {
			t.Errorf("after the work %d places are held, by %d sources", h.turns.held(), h.tally.Sources())
		}
	})
}
