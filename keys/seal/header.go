package seal

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/nacl/box"

	"keyward/fault"
	"keyward/keys"
)

// MaxKeys is how many keys a file may be sealed to: as many as a user may register.
const MaxKeys = 100

const (
	magic    = "keyward sealed file v1"
	dataLine = "data"
	keyType  = "keyward sealed file key v1\n" // what a box begins with; a login begins with something else

	maxName   = 64   // bytes of a user's name
	maxLine   = 1024 // bytes of a line of the header; the longest that is written has 565
	maxBox    = 512  // bytes of nonce and box
	nonceSize = 24
	keySize   = 32
)

const hintAgain = "get the file again from whoever sent it"

// Header says who sealed a file, for whom.
type Header struct {
	From    string // the sender's user name
	FromKey keys.PublicKey
	To      string           // the recipient's user name
	ToKeys  []keys.PublicKey // 1 to MaxKeys, none twice
}

// header is a Header with what only this package needs.
type header struct {
	Header
	boxes [][]byte // of each of ToKeys: the nonce, and the box with the file key
	text  []byte   // all of it, as it stands in the file
}

// check refuses a Header that could not be read back.
func (h Header) check() error {
	for _, name := range []string{h.From, h.To} {
		if !validName(name) {
			return fault.New(fault.Usage, "give a name of 1 to 64 visible ASCII characters", "seal: %.80q is no user's name", name)
		}
	}
	if len(h.ToKeys) == 0 || len(h.ToKeys) > MaxKeys {
		return fault.New(fault.Usage, "seal to 1 to 100 keys", "seal: %s has %d keys", h.To, len(h.ToKeys))
	}
	for i, key := range h.ToKeys {
		if _, err := keys.ParsePublic(key.String()); err != nil {
			return err
		}
		if slices.Contains(h.ToKeys[:i], key) {
			return fault.New(fault.Usage, "name each key once", "seal: the key %s of %s is there twice", key.Fingerprint(), h.To)
		}
	}
	return nil
}

// validName takes 1 to 64 visible ASCII characters: every name that a registry takes, and no
// space, which parts the words of a line.
func validName(name string) bool {
	hidden := func(r rune) bool { return r <= ' ' || r > '~' }
	return name != "" && len(name) <= maxName && !strings.ContainsFunc(name, hidden)
}

func (h Header) fromLine() string { return "from " + h.From + " " + h.FromKey.String() + "\n" }

func (h Header) toWords(key keys.PublicKey) string { return "to " + h.To + " " + key.String() }

// boxed is what a box holds before the file key: what it is, from whom and for whom.
func (h Header) boxed(key keys.PublicKey) string {
	return keyType + h.fromLine() + h.toWords(key) + "\n"
}

// sealHeader makes the header of a new file and the key of its chunks.
func sealHeader(pair keys.Pair, h Header) (text []byte, key [keySize]byte, err error) {
	var fileKey [keySize]byte
	rand.Read(fileKey[:]) // never fails
	text = []byte(magic + "\n" + h.fromLine())
	for _, to := range h.ToKeys {
		shared, err := pair.SharedKey(to)
		if err != nil {
			return nil, key, err
		}
		var nonce [nonceSize]byte
		rand.Read(nonce[:])
		message := append([]byte(h.boxed(to)), fileKey[:]...)
		sealed := box.SealAfterPrecomputation(nonce[:], message, &nonce, (*[32]byte)(shared))
		text = append(text, h.toWords(to)+" "+keys.EncodeString(sealed)+"\n"...)
	}
	text = append(text, dataLine+"\n"...)
	return text, chunkKey(fileKey[:], text), nil
}

// chunkKey binds the whole header to the chunks: with a byte of it changed, none opens.
func chunkKey(fileKey, header []byte) [keySize]byte {
	mac := hmac.New(sha256.New, fileKey)
	mac.Write(header)
	return [keySize]byte(mac.Sum(nil))
}

// openKey opens the box of the pair's key, and gives the key of the chunks.
func (h *header) openKey(pair keys.Pair) (key [keySize]byte, err error) {
	i := slices.Index(h.ToKeys, pair.Public)
	if i < 0 {
		return key, fault.New(fault.NotPermitted, "open it with the pair of one of these keys",
			"sealed file: it is for %s's keys %s, not for %s", h.To, fingerprints(h.ToKeys), pair.Public.Fingerprint())
	}
	shared, err := pair.SharedKey(h.FromKey)
	if err != nil {
		return key, err
	}
	sealed := h.boxes[i]
	message, ok := box.OpenAfterPrecomputation(nil, sealed[nonceSize:], (*[nonceSize]byte)(sealed), (*[32]byte)(shared))
	if !ok {
		return key, fault.New(fault.NotTrusted, hintAgain+"; if it is the same, somebody else sealed it",
			"sealed file: %s's key %s, which it names, did not seal it, or it was changed since", h.From, h.FromKey.Fingerprint())
	}
	fileKey, ok := strings.CutPrefix(string(message), h.boxed(pair.Public))
	if !ok || len(fileKey) != keySize {
		return key, fault.New(fault.NotTrusted, hintAgain, "sealed file: what %s's key sealed is not the key of this file", h.From)
	}
	return chunkKey([]byte(fileKey), h.text), nil
}

// fingerprints lists the keys for an error; the first few of them.
func fingerprints(list []keys.PublicKey) string {
	var words []string
	for _, key := range list[:min(len(list), 3)] {
		words = append(words, key.Fingerprint())
	}
	if len(list) > len(words) {
		words = append(words, "...")
	}
	return strings.Join(words, ", ")
}

// readHeader reads all before the first chunk. It takes what sealHeader writes and nothing else.
func readHeader(r *bufio.Reader) (*header, error) {
	h := new(header)
	first, err := h.readLine(r)
	if err != nil {
		return nil, err
	}
	if first != magic {
		return nil, strange(first)
	}
	if err := h.readFrom(r); err != nil {
		return nil, err
	}
	for {
		line, err := h.readLine(r)
		if err != nil {
			return nil, err
		}
		if line == dataLine && len(h.ToKeys) > 0 {
			return h, nil
		}
		if err := h.readTo(line); err != nil {
			return nil, err
		}
	}
}

// strange says what a file is that does not begin as it should.
func strange(first string) error {
	if first == magic+"\r" {
		return fault.New(fault.InvalidFile, "get it again as binary data", "sealed file: its line ends were changed on its way")
	}
	if strings.HasPrefix(first, "keyward sealed file ") {
		return fault.New(fault.InvalidFile, "open it with a newer keyward", "sealed file: it is of another version than 1")
	}
	return errNotSealed
}

var errNotSealed = fault.New(fault.InvalidFile, "name a file that `keyward seal` made", "this is not a sealed file: it does not begin with %q", magic)

func (h *header) readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case len(h.text) == 0 && (err == io.EOF || len(line) > maxLine):
		return "", errNotSealed
	case err == io.EOF:
		return "", damaged("it is cut off in its header")
	case len(line) > maxLine || errors.Is(err, bufio.ErrBufferFull):
		return "", damaged("a line of its header is too long")
	case err != nil:
		return "", err
	}
	h.text = append(h.text, line...)
	return string(line[:len(line)-1]), nil
}

func (h *header) readFrom(r *bufio.Reader) error {
	line, err := h.readLine(r)
	if err != nil {
		return err
	}
	words := strings.Split(line, " ")
	if len(words) != 3 || words[0] != "from" || !validName(words[1]) {
		return damaged("its second line does not say from whom it is")
	}
	h.From = words[1]
	if h.FromKey, err = keys.ParsePublic(words[2]); err != nil {
		return damaged("the sender's key: %w", err)
	}
	return nil
}

func (h *header) readTo(line string) error {
	words := strings.Split(line, " ")
	if len(words) != 4 || words[0] != "to" || !validName(words[1]) || h.To != "" && h.To != words[1] {
		return damaged("a line of its header does not say for whom it is")
	}
	h.To = words[1]
	key, err := keys.ParsePublic(words[2])
	if err != nil {
		return damaged("a key of %s: %w", h.To, err)
	}
	sealed, err := keys.DecodeString(words[3], maxBox)
	if err != nil {
		return damaged("a box for %s: %w", h.To, err)
	}
	if len(sealed) < nonceSize+box.Overhead {
		return damaged("a box for %s is too short", h.To)
	}
	if slices.Contains(h.ToKeys, key) {
		return damaged("a key of %s is there twice", h.To)
	}
	if len(h.ToKeys) == MaxKeys {
		return damaged("it is for more than %d keys", MaxKeys)
	}
	h.ToKeys = append(h.ToKeys, key)
	h.boxes = append(h.boxes, sealed)
	return nil
}

func damaged(format string, args ...any) error {
	return fault.New(fault.InvalidFile, hintAgain, "sealed file: "+format, args...)
}
