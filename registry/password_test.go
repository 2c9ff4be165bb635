package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"keyward/internal/fault"
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

func TestHashing(t *testing.T) {
	h := newHashing()
	if cap(h.slots) < 1 || cap(h.slots) > maxHashing || cap(h.queue) != cap(h.slots)+hashQueue {
		t.Errorf("%d at a time, %d in all", cap(h.slots), cap(h.queue))
	}
	began, release, ended := make(chan bool), make(chan bool), make(chan error)
	work := func() { began <- true; <-release }
	for range cap(h.slots) {
		go func() { ended <- h.do(t.Context(), work) }()
		<-began
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.do(ctx, func() { t.Error("one more than the slots is at work") }); err != errBusy {
		t.Errorf("nobody waits any more: %v", err)
	}
	for len(h.queue) < cap(h.queue) {
		h.queue <- struct{}{}
	}
	if err := h.do(t.Context(), func() { t.Error("one more than the queue holds is at work") }); err != errBusy {
		t.Errorf("the queue is full: %v", err)
	}
	for range cap(h.slots) {
		release <- true
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if len(h.slots) != 0 || len(h.queue) != hashQueue {
		t.Errorf("%d slots and %d places are held after the work", len(h.slots), len(h.queue)-hashQueue)
	}
}
