package keyexchange

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"keyward/fault"
	"keyward/keyexchange/msgpack"
)

// usual is a message as napalm-logs publishes one: with this text about 1 KiB.
const usual = `{"error":"BGP_PREFIX_THRESH_EXCEEDED","facility":18,"host":"vmx01","ip":"127.0.0.1","os":"junos","severity":4,` +
	`"timestamp":1490864413,"yang_message":{"bgp":{"neighbors":{"neighbor":{"192.168.140.254":{"afi_safis":{"afi_safi":{"inet":{"ipv4_unicast":` +
	`{"prefix_limit":{"state":{"max_prefixes":140}}},"state":{"prefixes":{"received":141}}}}},"state":{"peer_as":4230}}}}}},` +
	`"yang_model":"openconfig-bgp","message_details":{"date":"Mar 30","facility":18,"host":"vmx01","hostPrefix":null,"message":"%s",` +
	`"pri":"149","processId":"2902","processName":"rpd","severity":4,"tag":"BGP_PREFIX_THRESH_EXCEEDED","time":"09:00:13"}}`

func kib(t testing.TB) []byte {
	t.Helper()
	text := strings.Repeat("192.168.140.254 (External AS 4230): ", 15)
	packed, err := msgpack.FromJSON(nil, fmt.Appendf(nil, usual, text), 0)
	check(t, err)
	if n := len(packed); n < 1000 || n > 1060 {
		t.Fatalf("%d bytes", n)
	}
	return packed
}

func TestSealOpen(t *testing.T) {
	keys := GenerateSealKeys()
	for _, plain := range [][]byte{{}, {0x80}, kib(t), make([]byte, DefaultMaxMessage-Overhead)} {
		m := Seal([]byte("x"), plain, keys)
		if len(m) != 1+Overhead+len(plain) {
			t.Errorf("%d bytes, and %d sealed", len(plain), len(m)-1)
		}
		got, err := Open([]byte("y"), m[1:], &keys.OpenKeys, 0)
		if err != nil || !bytes.Equal(got[1:], plain) || got[0] != 'y' || m[0] != 'x' {
			t.Errorf("%d bytes: %v", len(plain), err)
		}
	}
	if bytes.Equal(Seal(nil, nil, keys), Seal(nil, nil, keys)) {
		t.Error("two messages have one nonce")
	}
}

// TestDamage flips each bit of the first 128 bytes, and of the last, and cuts at each length.
func TestDamage(t *testing.T) {
	keys := GenerateSealKeys()
	sealed := Seal(nil, kib(t), keys)
	dst := []byte("kept")
	try := func(what string, message []byte, want error) {
		t.Helper()
		if got, err := Open(dst, message, &keys.OpenKeys, 0); err != want || string(got) != "kept" {
			t.Errorf("%s: %q, %v, want %v", what, got, err, want)
		}
	}
	for bit := range 8 * 128 {
		damaged := bytes.Clone(sealed)
		damaged[bit/8] ^= 1 << (bit % 8)
		try(fmt.Sprintf("bit %d", bit), damaged, ErrNotSigned)
	}
	for n := range sealed {
		want := ErrNotSigned
		if n < Overhead {
			want = ErrShort
		}
		try(fmt.Sprintf("%d bytes", n), sealed[:n], want)
	}
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-1] ^= 1
	try("last bit", damaged, ErrNotSigned)
	try("longer", append(bytes.Clone(sealed), 0), ErrNotSigned)
	try("too long", make([]byte, DefaultMaxMessage+1), ErrLong)
	if _, err := Open(nil, sealed, &keys.OpenKeys, len(sealed)-1); err != ErrLong {
		t.Error(err)
	}
	if _, err := Open(nil, sealed, &keys.OpenKeys, len(sealed)); err != nil {
		t.Error(err)
	}
}

func TestWrongKeys(t *testing.T) {
	keys, other := GenerateSealKeys(), GenerateSealKeys()
	sealed := Seal(nil, kib(t), keys)
	for _, c := range []struct {
		keys OpenKeys
		want error
		kind fault.Kind
	}{
		{other.OpenKeys, ErrNotSigned, fault.NotTrusted},
		{OpenKeys{keys.Box, other.Verify}, ErrNotSigned, fault.NotTrusted},
		{OpenKeys{other.Box, keys.Verify}, ErrDamaged, fault.InvalidFile},
		{OpenKeys{}, ErrNotSigned, fault.NotTrusted},
	} {
		if _, err := Open(nil, sealed, &c.keys, 0); err != c.want || !errors.Is(err, c.kind) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

// TestReplay shows what a reader cannot notice: the format has nothing that would tell.
func TestReplay(t *testing.T) {
	keys := GenerateSealKeys()
	sealed := Seal(nil, kib(t), keys)
	for range 2 {
		_, err := Open(nil, sealed, &keys.OpenKeys, 0)
		check(t, err)
	}
}

func TestSecretsAreHidden(t *testing.T) {
	keys := GenerateSealKeys()
	ring := NewRing(testTime)
	seed, ringSeed := keys.seed(), ring.At(testTime).seed()
	for _, v := range []any{keys, *keys, keys.OpenKeys, keys.Box, seed, &keys.Box, ring, ring.At(testTime)} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			text := fmt.Sprintf(format, v)
			for _, secret := range [][]byte{keys.Box[:], seed[:], ring.At(testTime).Box[:], ringSeed[:]} {
				if shows(text, secret) {
					t.Errorf("%s of %T shows a key: %s", format, v, text)
				}
			}
		}
		if text, err := json.Marshal(v); err != nil || shows(string(text), keys.Box[:]) || shows(string(text), seed[:]) {
			t.Errorf("JSON of %T: %s, %v", v, text, err)
		}
	}
}

// shows says whether some bytes of a secret stand in text, in any of the ways in which package fmt writes bytes.
func shows(text string, secret []byte) bool {
	part := secret[:6]
	list := strings.Trim(fmt.Sprint(part), "[]")
	quoted := strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}")
	return strings.Contains(text, hex.EncodeToString(part)) || strings.Contains(text, string(part)) ||
		strings.Contains(text, list) || strings.Contains(text, quoted)
}

func TestPyNaClOpens(t *testing.T) {
	needPython(t)
	keys := GenerateSealKeys()
	objects := []string{fmt.Sprintf(usual, `é\n`), `{}`, `{"a":[18446744073709551615,-9223372036854775808,1.5,null,true]}`}
	var sealed strings.Builder
	for _, o := range objects {
		packed, err := msgpack.FromJSON(nil, []byte(o), 0)
		check(t, err)
		fmt.Fprintf(&sealed, "%x\n", Seal(nil, packed, keys))
	}
	got := strings.Split(python(t, sealed.String(), "testdata/nacl_peer.py", "open", hex.EncodeToString(keys.Box[:]), keys.Verify.String()), "\n")
	for i, o := range objects {
		want, err := msgpack.FromJSON(nil, []byte(o), 0)
		check(t, err)
		back, err := msgpack.FromJSON(nil, []byte(got[i]), 0)
		check(t, err)
		if !bytes.Equal(back, want) {
			t.Errorf("%s, want %s", got[i], o)
		}
	}
}

func TestPyNaClSeals(t *testing.T) {
	needPython(t)
	keys := GenerateSealKeys()
	plain, seed := kib(t), keys.seed()
	line := python(t, hex.EncodeToString(plain)+"\n", "testdata/nacl_peer.py", "seal", hex.EncodeToString(keys.Box[:]), hex.EncodeToString(seed[:]))
	sealed, err := hex.DecodeString(strings.TrimSpace(line))
	check(t, err)
	got, err := Open(nil, sealed, &keys.OpenKeys, 0)
	check(t, err)
	if !bytes.Equal(got, plain) {
		t.Errorf("%x", got)
	}
	// With the nonce of theirs ours is theirs, byte for byte.
	if ours := seal(nil, plain, keys, (*[nonceSize]byte)(sealed[ed25519.SignatureSize:])); !bytes.Equal(ours, sealed) {
		t.Errorf("%x, want %x", ours, sealed)
	}
}

func FuzzOpen(f *testing.F) {
	keys := NewSealKeys(BoxKey{1}, Seed{2})
	whole := seal(nil, []byte("\x81\xa1a\x01"), keys, new([nonceSize]byte))
	f.Add(whole, []byte{})
	f.Add(whole[:Overhead], []byte("x"))
	f.Add([]byte{}, []byte("\x80"))
	f.Fuzz(func(t *testing.T, message, plain []byte) {
		if got, err := Open(nil, message, &keys.OpenKeys, 0); err == nil && string(got) != "\x81\xa1a\x01" {
			t.Errorf("%x opens", message)
		}
		sealed := Seal(nil, plain, keys)
		got, err := Open(nil, sealed, &keys.OpenKeys, Overhead+len(plain)+1)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%x: %x, %v", plain, got, err)
		}
		if len(message) > 0 {
			sealed[int(message[0])%len(sealed)] ^= max(1, message[0])
			if _, err := Open(nil, sealed, &keys.OpenKeys, Overhead+len(plain)+1); err != ErrNotSigned {
				t.Errorf("%x: damaged, and %v", plain, err)
			}
		}
	})
}

// BenchmarkOpen is what a reader does with a message of 1 KiB, beside what of it is cryptography, one after the other: so both
// have the same neighbours on the machine. Of each it takes the median.
func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	keys := GenerateSealKeys()
	sealed := Seal(nil, kib(b), keys)
	signature, signed := sealed[:ed25519.SignatureSize], sealed[ed25519.SignatureSize:]
	plain, object := make([]byte, 0, 4096), make([]byte, 0, 8192)
	var bare, whole []time.Duration
	for b.Loop() {
		start := time.Now()
		if !ed25519.Verify(keys.Verify[:], signed, signature) {
			b.Fatal("not verified")
		}
		if _, ok := secretbox.Open(plain, signed[nonceSize:], (*[nonceSize]byte)(signed), (*[keySize]byte)(&keys.Box)); !ok {
			b.Fatal("not opened")
		}
		middle := time.Now()
		opened, err := Open(plain, sealed, &keys.OpenKeys, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := msgpack.ToJSON(object, opened, 0); err != nil {
			b.Fatal(err)
		}
		bare, whole = append(bare, middle.Sub(start)), append(whole, time.Since(middle))
	}
	slices.Sort(bare)
	slices.Sort(whole)
	b.ReportMetric(float64(bare[len(bare)/2].Nanoseconds()), "bare-ns")
	b.ReportMetric(float64(whole[len(whole)/2].Nanoseconds()), "whole-ns")
	b.ReportMetric(float64(whole[len(whole)/2])/float64(bare[len(bare)/2]), "whole/bare")
}
