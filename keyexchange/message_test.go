package keyexchange

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"keyward/keyexchange/msgpack"
)

func kib() []byte {
	m, err := msgpack.FromJSON(nil, []byte(`{"error":"BGP_PREFIX_THRESH_EXCEEDED","facility":18,"host":"vmx01","ip":"127.0.0.1","os":"junos","severity":4,"timestamp":1490864413,"yang_message":{"bgp":{"neighbors":{"neighbor":{"192.168.140.254":{"afi_safis":{"afi_safi":{"inet":{"ipv4_unicast":{"prefix_limit":{"state":{"max_prefixes":140}}},"state":{"prefixes":{"received":141}}}}},"state":{"peer_as":4230}}}}}},"yang_model":"openconfig-bgp","message_details":{"date":"Mar 30","facility":18,"host":"vmx01","hostPrefix":null,"message":"`+string(bytes.Repeat([]byte("192.168.140.254 (External AS 4230): "), 14))+`","pri":"149","processId":"2902","processName":"rpd","severity":4,"tag":"BGP_PREFIX_THRESH_EXCEEDED","time":"09:00:13"}}`), 0)
	if err != nil {
		panic(err)
	}
	return m
}

func TestSealOpen(t *testing.T) {
	keys := GenerateSealKeys()
	m := Seal([]byte("x"), kib(), keys)
	got, err := Open([]byte("y"), m[1:], &keys.OpenKeys, 0)
	if err != nil || !bytes.Equal(got[1:], kib()) || got[0] != 'y' || m[0] != 'x' {
		t.Fatal(err)
	}
}

func BenchmarkOpen(b *testing.B) {
	keys := GenerateSealKeys()
	sealed := Seal(nil, kib(), keys)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(sealed)))
		out := make([]byte, 0, 4096)
		for b.Loop() {
			if !ed25519.Verify(keys.Verify[:], sealed[64:], sealed[:64]) {
				b.Fatal()
			}
			if _, ok := secretbox.Open(out, sealed[88:], (*[24]byte)(sealed[64:]), (*[32]byte)(&keys.Box)); !ok {
				b.Fatal()
			}
		}
	})
	b.Run("decoded", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(sealed)))
		plain, out := make([]byte, 0, 4096), make([]byte, 0, 8192)
		for b.Loop() {
			var err error
			if plain, err = Open(plain[:0], sealed, &keys.OpenKeys, 0); err != nil {
				b.Fatal(err)
			}
			if out, err = msgpack.ToJSON(out[:0], plain, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
