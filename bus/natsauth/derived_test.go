package natsauth

import (
	"bytes"
	"testing"

	"github.com/nats-io/nkeys"
)

// What is signed and encrypted with derived keys is what nkeys makes and reads.
func TestDerived(t *testing.T) {
	keys, server := newTestKeys(t), newAsker(t, newTestKeys(t))
	text := []byte("a question")
	signature, err := keys.issuer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	public, err := nkeys.FromPublicKey(keys.Public().Issuer)
	if err != nil {
		t.Fatal(err)
	}
	if err := public.Verify(text, signature); err != nil {
		t.Error(err)
	}
	sealed, err := server.curve.Seal(text, keys.Public().XKey)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := keys.xkey.Open(sealed, server.xkey); err != nil || !bytes.Equal(opened, text) {
		t.Errorf("%q %v", opened, err)
	}
	answer, err := keys.xkey.Seal(text, server.xkey)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := server.curve.Open(answer, keys.Public().XKey); err != nil || !bytes.Equal(opened, text) {
		t.Errorf("%q %v", opened, err)
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if _, err := keys.xkey.Open(broken, server.xkey); err == nil {
			t.Errorf("with byte %d flipped it opens", i)
		}
		if _, err := keys.xkey.Open(sealed[:i], server.xkey); err == nil {
			t.Errorf("the first %d bytes open", i)
		}
	}
	for _, other := range []string{"", "X", keys.Public().Issuer, server.xkey[:55]} {
		if _, err := keys.xkey.Open(sealed, other); err == nil {
			t.Errorf("it opens as from %q", other)
		}
		if _, err := keys.xkey.Seal(text, other); err == nil {
			t.Errorf("it is sealed to %q", other)
		}
	}
}

// Who asks with ever new keys fills no memory.
func TestSharedKeysAreBounded(t *testing.T) {
	b, ok := newTestKeys(t).xkey.(*boxer)
	if !ok {
		t.Fatal("no boxer")
	}
	for range maxShared + 10 {
		if _, err := b.Seal(nil, newTestKeys(t).Public().XKey); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.shared) != 10 {
		t.Errorf("%d are kept", len(b.shared))
	}
}
