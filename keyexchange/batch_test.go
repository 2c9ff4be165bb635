package keyexchange

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"filippo.io/edwards25519"
)

// batchOf are messages that open.
func batchOf(n int, keys *SealKeys) [][]byte {
	messages := make([][]byte, n)
	for i := range messages {
		messages[i] = Seal(nil, fmt.Appendf(nil, "a message of some length: %d", i), keys)
	}
	return messages
}

// openLikeOne holds OpenAll to what Open says of each message.
func openLikeOne(t *testing.T, what string, messages [][]byte, keys *OpenKeys) {
	t.Helper()
	i := 0
	for got, err := range OpenAll(messages, keys, 0) {
		want, wantErr := Open(nil, messages[i], keys, 0)
		if !bytes.Equal(got, want) || !errors.Is(err, wantErr) {
			t.Errorf("%s: message %d is %q, %v, and alone %q, %v", what, i, got, err, want, wantErr)
		}
		i++
	}
	if i != len(messages) {
		t.Errorf("%s: %d of %d messages", what, i, len(messages))
	}
}

func TestOpenAll(t *testing.T) {
	keys := GenerateSealKeys()
	for _, n := range []int{0, 1, minBatch - 1, minBatch, maxBatch, maxBatch + 1, 2*maxBatch + minBatch} {
		messages := batchOf(n, keys)
		if !allSigned(&keys.Verify, messages) && n >= minBatch {
			t.Errorf("%d messages are not signed together", n)
		}
		openLikeOne(t, fmt.Sprint(n), messages, &keys.OpenKeys)
	}
	for range OpenAll(batchOf(minBatch, keys), &keys.OpenKeys, 0) {
		break // ends it
	}
	mixed := NewSealKeys(BoxKey{1}, keys.seed())
	long := Seal(nil, make([]byte, DefaultMaxMessage), keys)
	openLikeOne(t, "others among them", append(batchOf(minBatch, keys), nil, []byte("short"), long, Seal(nil, nil, mixed), Seal(nil, nil, keys)), &keys.OpenKeys)
	openLikeOne(t, "another key", batchOf(minBatch, keys), &GenerateSealKeys().OpenKeys)
	openLikeOne(t, "no key", batchOf(minBatch, keys), &OpenKeys{})
}

// TestOpenAllAfterSize has messages of bad sizes leave the others a batch.
func TestOpenAllAfterSize(t *testing.T) {
	keys := GenerateSealKeys()
	good := batchOf(minBatch, keys)
	if got := sized(append(slices.Clone(good), nil, make([]byte, Overhead-1), make([]byte, DefaultMaxMessage+1)), 0); !slices.EqualFunc(got, good, bytes.Equal) {
		t.Errorf("%d messages", len(got))
	}
}

// TestDamageInBatch flips each bit of a signature and of what comes after it, in one of the messages.
func TestDamageInBatch(t *testing.T) {
	keys := GenerateSealKeys()
	messages := batchOf(minBatch+1, keys)
	for bit := range 8 * 128 {
		at := bit % len(messages)
		damaged := bytes.Clone(messages[at])
		damaged[bit/8] ^= 1 << (bit % 8)
		some := slices.Clone(messages)
		some[at] = damaged
		openLikeOne(t, fmt.Sprintf("bit %d", bit), some, &keys.OpenKeys)
		if allSigned(&keys.Verify, some) {
			t.Errorf("bit %d: all are signed", bit)
		}
	}
}

// crafter has a private key, and does with it what no honest signer does: among that is all that verifiers of Ed25519 are
// known to disagree about ("Taming the many EdDSAs", 2020).
type crafter struct {
	private *edwards25519.Scalar
	keys    *OpenKeys
}

// newCrafter has a public key with that point added.
func newCrafter(added *edwards25519.Point) *crafter {
	private := shortScalar([16]byte{5, 4, 3, 2, 1})
	public := new(edwards25519.Point).ScalarBaseMult(private)
	return &crafter{private, &OpenKeys{Verify: VerifyKey(public.Add(public, added).Bytes())}}
}

// sign makes a message whose R stands there in these bytes, and is r times the base point but for what is of small order.
func (c *crafter) sign(encoded []byte, r *edwards25519.Scalar, text string) []byte {
	m := slices.Concat(encoded, make([]byte, Overhead-len(encoded)), []byte(text))
	s := edwards25519.NewScalar().MultiplyAdd(challenge(&c.keys.Verify, m), c.private, r)
	copy(m[32:], s.Bytes())
	return m
}

// taken says whether ed25519.Verify takes a message.
func (c *crafter) taken(message []byte) bool {
	return ed25519.Verify(c.keys.Verify[:], message[ed25519.SignatureSize:], message[:ed25519.SignatureSize])
}

// smallOrder are the eight points that eight times are 0; the second has order eight.
func smallOrder() []*edwards25519.Point {
	points := []*edwards25519.Point{edwards25519.NewIdentityPoint()}
	step := pointOfOrder8()
	for range 7 {
		points = append(points, new(edwards25519.Point).Add(points[len(points)-1], step))
	}
	return points
}

// pointOfOrder8 is what remains of some point times the order of the base point.
func pointOfOrder8() *edwards25519.Point {
	minusOne := edwards25519.NewScalar().Negate(shortScalar([16]byte{1}))
	for y := byte(2); ; y++ {
		p, err := new(edwards25519.Point).SetBytes(append([]byte{y}, make([]byte, 31)...))
		if err != nil {
			continue
		}
		p.Add(p, new(edwards25519.Point).ScalarMult(minusOne, p))
		if four := shortScalar([16]byte{4}); !isIdentity(new(edwards25519.Point).ScalarMult(four, p)) {
			return p
		}
	}
}

// improper are encodings of points that are not the one that each point has: y not below the prime, or a sign where x is 0.
func improper() [][]byte {
	ones := bytes.Repeat([]byte{0xff}, 30)
	all := [][]byte{slices.Concat([]byte{1}, make([]byte, 30), []byte{0x80}), slices.Concat([]byte{0xec}, ones, []byte{0xff})}
	for low := 0xed; low <= 0xff; low++ {
		all = append(all, slices.Concat([]byte{byte(low)}, ones, []byte{0x7f}), slices.Concat([]byte{byte(low)}, ones, []byte{0xff}))
	}
	return all
}

func TestEdgeCases(t *testing.T) {
	zero, r := edwards25519.NewScalar(), shortScalar([16]byte{9, 9, 9})
	c := newCrafter(edwards25519.NewIdentityPoint())
	proper := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	good := c.sign(proper, r, "good")
	both := func(what string, message []byte, want bool) {
		t.Helper()
		if got := c.taken(message); got != want {
			t.Errorf("%s: %t alone", what, got)
		}
		if got := allSigned(&c.keys.Verify, [][]byte{good, good, message, good}); got != want {
			t.Errorf("%s: %t together", what, got)
		}
	}
	both("good", good, true)
	both("R is 0", c.sign(edwards25519.NewIdentityPoint().Bytes(), zero, ""), true)
	for _, encoded := range improper() {
		both(fmt.Sprintf("R is %x", encoded), c.sign(encoded, zero, ""), false)
		both(fmt.Sprintf("R is %x and s too large", encoded), append(slices.Concat(encoded, bytes.Repeat([]byte{0xff}, 32)), good[64:]...), false)
	}
	for what, change := range map[string]func(m []byte){
		"no signature":    func(m []byte) { clear(m[:64]) },
		"s is 0":          func(m []byte) { clear(m[32:64]) },
		"s and the order": func(m []byte) { addOrder(m[32:64]) },
		"halves in turn":  func(m []byte) { copy(m, slices.Concat(m[32:64], m[:32])) },
		"another text":    func(m []byte) { m[len(m)-1]++ },
		"no point":        func(m []byte) { copy(m, append([]byte{2}, make([]byte, 31)...)) },
		"negative R":      func(m []byte) { m[31] ^= 0x80 },
	} {
		m := bytes.Clone(good)
		change(m)
		both(what, m, false)
	}
}

// addOrder adds the order of the base point to a number, little-endian.
func addOrder(s []byte) {
	order := edwards25519.NewScalar().Negate(shortScalar([16]byte{1})).Bytes() // and 1
	carry := 1
	for i := range s {
		carry += int(s[i]) + int(order[i])
		s[i] = byte(carry)
		carry >>= 8
	}
}

// TestFaultsThatCancel adds one to a signature and takes it from another: their sum is right, if nobody weighs them.
func TestFaultsThatCancel(t *testing.T) {
	keys := GenerateSealKeys()
	messages := batchOf(minBatch, keys)
	one := shortScalar([16]byte{1})
	for i, change := range []func(s *edwards25519.Scalar){
		func(s *edwards25519.Scalar) { s.Add(s, one) },
		func(s *edwards25519.Scalar) { s.Subtract(s, one) },
	} {
		_, s, _ := decodeSignature(messages[i])
		change(s)
		copy(messages[i][32:], s.Bytes())
	}
	if allSigned(&keys.Verify, messages) {
		t.Error("all are signed")
	}
	openLikeOne(t, "they cancel", messages, &keys.OpenKeys)
}

// TestSmallOrderKey has keys with which anybody signs some messages. They are the same messages together as alone.
func TestSmallOrderKey(t *testing.T) {
	points, taken := smallOrder(), 0
	for i, key := range points {
		c := &crafter{edwards25519.NewScalar(), &OpenKeys{Verify: VerifyKey(key.Bytes())}}
		var messages [][]byte
		for j := range 2 * maxBatch {
			m := c.sign(points[j%8].Bytes(), edwards25519.NewScalar(), fmt.Sprint(j))
			messages = append(messages, m)
			if c.taken(m) {
				taken++
			}
		}
		openLikeOne(t, fmt.Sprintf("key %d", i), messages, c.keys)
	}
	if taken == 0 {
		t.Error("none is taken")
	}
}

// TestMixedKey has a key with a part of small order. All that is taken alone is taken together.
func TestMixedKey(t *testing.T) {
	for i, point := range smallOrder() {
		c := newCrafter(point)
		r := shortScalar([16]byte{9, 9, 9})
		encoded := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
		var messages [][]byte
		for n := range 200 {
			if m := c.sign(encoded, r, fmt.Sprint(n)); c.taken(m) {
				messages = append(messages, m)
			}
		}
		if len(messages) < minBatch {
			t.Errorf("key %d: %d are taken alone", i, len(messages))
		}
		openLikeOne(t, fmt.Sprintf("key %d", i), messages, c.keys)
	}
}

// TestSmallOrderR shows the one thing that is taken or not as chance has it: what who has the private key made to be so.
func TestSmallOrderR(t *testing.T) {
	c := newCrafter(edwards25519.NewIdentityPoint())
	r := shortScalar([16]byte{9, 9, 9})
	point := new(edwards25519.Point).ScalarBaseMult(r)
	good := c.sign(point.Bytes(), r, "good")
	odd := c.sign(point.Add(point, smallOrder()[4]).Bytes(), r, "odd")
	if c.taken(odd) {
		t.Error("taken alone")
	}
	times := 0
	for range 128 {
		if allSigned(&c.keys.Verify, [][]byte{good, good, odd, good}) {
			times++
		}
	}
	if times == 0 || times == 128 {
		t.Errorf("taken %d times of 128", times)
	}
}

func FuzzOpenAll(f *testing.F) {
	keys := NewSealKeys(BoxKey{1}, Seed{2})
	var batch [][]byte
	for i := range minBatch {
		batch = append(batch, seal(nil, []byte("\x81\xa1a\x01"), keys, &[nonceSize]byte{byte(i)}))
	}
	f.Add(batch[0], uint16(0), byte(0))
	f.Add(batch[1][:Overhead], uint16(31), byte(0x80))
	f.Add([]byte{}, uint16(63), byte(0x10))
	f.Add(make([]byte, Overhead), uint16(64), byte(1))
	for _, encoded := range improper() {
		f.Add(append(encoded, batch[0][32:]...), uint16(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, message []byte, at uint16, flip byte) {
		messages := slices.Clone(batch)
		messages[1] = bytes.Clone(batch[1])
		messages[1][int(at)%len(messages[1])] ^= flip
		openLikeOne(t, "flipped", messages, &keys.OpenKeys)
		openLikeOne(t, "and one more", append(messages, message), &keys.OpenKeys)
		openLikeOne(t, "one more", append(slices.Clone(batch), message), &keys.OpenKeys)
	})
}

// BenchmarkOpenAll is what a message of 1 KiB takes, together with others, beside what it takes alone.
func BenchmarkOpenAll(b *testing.B) {
	keys := GenerateSealKeys()
	plain := kib(b)
	for _, n := range []int{minBatch, 16, maxBatch} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			messages := make([][]byte, n)
			for i := range messages {
				messages[i] = Seal(nil, plain, keys)
			}
			var alone, together time.Duration
			for b.Loop() {
				start := time.Now()
				for _, m := range messages {
					_, err := Open(nil, m, &keys.OpenKeys, 0)
					check(b, err)
				}
				middle := time.Now()
				for _, err := range OpenAll(messages, &keys.OpenKeys, 0) {
					check(b, err)
				}
				alone += middle.Sub(start)
				together += time.Since(middle)
			}
			each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*n) }
			b.ReportMetric(each(alone), "alone-us")
			b.ReportMetric(each(together), "together-us")
		})
	}
}
