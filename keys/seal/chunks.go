package seal

import (
	"encoding/binary"

	"golang.org/x/crypto/nacl/secretbox"
)

const (
	chunkSize  = 64 << 10 // bytes of plaintext in every chunk but the last
	sealedSize = chunkSize + secretbox.Overhead
)

// chunks seals or opens the chunks of one file, in their order.
type chunks struct {
	key  [keySize]byte
	next uint64 // the number of the next chunk, from 0
}

// nonce is the chunk's number in 23 bytes, big endian, and 1 for the last chunk or 0. So no chunk opens in
// another's place, nor as the last one, nor with more behind the last.
func (c *chunks) nonce(last bool) *[nonceSize]byte {
	var nonce [nonceSize]byte
	binary.BigEndian.PutUint64(nonce[nonceSize-9:], c.next)
	if last {
		nonce[nonceSize-1] = 1
	}
	return &nonce
}

// seal appends the sealed chunk to out.
func (c *chunks) seal(out, plain []byte, last bool) []byte {
	out = secretbox.Seal(out, plain, c.nonce(last), &c.key)
	c.next++
	return out
}

// open appends the opened chunk to out; false leaves all as it was.
func (c *chunks) open(out, sealed []byte, last bool) ([]byte, bool) {
	plain, ok := secretbox.Open(out, sealed, c.nonce(last), &c.key)
	if ok {
		c.next++
	}
	return plain, ok
}
