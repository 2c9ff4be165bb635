package registry

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"keyward/fault"
	"keyward/internal/limit"
)

// The cost of a password's hash: OWASP's second choice for argon2id, about 75 ms.
const (
	hashTime    = 2
	hashMemory  = 19 << 10 // KiB
	hashThreads = 1
	saltSize    = 16
	hashSize    = 32
)

// The bounds on hashing: what is past the first waits, what is past the others is busy.
const (
	maxHashing = 4 // at a time, or the cores where they are fewer: 76 MiB
	hashQueue  = 64
	hashShare  = 8 // waiting or at work for one source, so that it cannot keep out the others
	hashWait   = 5 * time.Second
)

// The length of a password in bytes.
const (
	minPassword = 8
	maxPassword = 1024
)

// HashPassword makes the argon2id hash of a new password as a PHC string
// (https://github.com/P-H-C/phc-string-format). A password of less than 8 or more
// than 1024 bytes, or that is not UTF-8, is refused as fault.Policy. It costs about 75 ms and 19 MiB.
func HashPassword(password string) (string, error) {
	if err := CheckPassword(password); err != nil {
		return "", err
	}
	h := decoy()
	h.hash = h.compute(password)
	return h.String(), nil
}

// PasswordIs tells whether a hash that HashPassword made is of this password. It costs as much.
func PasswordIs(hash, password string) bool {
	h, err := parsePHC(hash)
	return err == nil && h.matches(password)
}

// CheckPassword returns nil for a password that HashPassword takes, otherwise a fault.Policy.
func CheckPassword(password string) error {
	if n := len(password); n < minPassword || n > maxPassword {
		return fault.New(fault.Policy, fmt.Sprintf("use %d to %d bytes", minPassword, maxPassword), "the password has %d bytes", n)
	}
	if !utf8.ValidString(password) {
		return fault.New(fault.Policy, "set the terminal or the file to UTF-8", "the password is not UTF-8")
	}
	return nil
}

// phc is an argon2id hash with its parameters.
type phc struct {
	time, memory uint32 // passes, KiB
	threads      uint8
	salt, hash   []byte
}

// decoy is a hash that no password has. It costs what a real one does.
func decoy() phc {
	h := phc{time: hashTime, memory: hashMemory, threads: hashThreads, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
	rand.Read(h.salt)
	rand.Read(h.hash)
	return h
}

func (h phc) compute(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.hash)))
}

func (h phc) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.compute(password), h.hash) == 1
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads, b64(h.salt), b64(h.hash))
}

// The largest cost that a stored hash may ask for.
const (
	maxTime    = 16
	maxMemory  = 64 << 10 // KiB
	maxThreads = 4
	maxHash    = 64 // bytes, of the salt too
)

// parsePHC reads the form that String writes, and no other.
func parsePHC(s string) (phc, error) {
	var h phc
	var version int
	var salt, hash string
	_, err := fmt.Sscanf(strings.ReplaceAll(s, "$", " "), " argon2id v=%d m=%d,t=%d,p=%d %s %s",
		&version, &h.memory, &h.time, &h.threads, &salt, &hash)
	if err == nil {
		h.salt, err = base64.RawStdEncoding.DecodeString(salt)
	}
	if err == nil {
		h.hash, err = base64.RawStdEncoding.DecodeString(hash)
	}
	if err != nil || h.String() != s {
		return phc{}, errors.New("the stored password is not an argon2id hash")
	}
	if !between(1, h.time, maxTime) || !between(1, h.threads, maxThreads) || !between(8*uint32(h.threads), h.memory, maxMemory) ||
		!between(8, len(h.salt), maxHash) || !between(16, len(h.hash), maxHash) {
		return phc{}, errors.New("the stored password's hash is out of bounds")
	}
	return h, nil
}

func between[T cmp.Ordered](low, n, high T) bool { return low <= n && n <= high }

// hashing bounds how many passwords are hashed at a time, and how many wait for it.
type hashing struct {
	turns *turns
	tally *limit.Tally[netip.Prefix] // of whom the places are
}

func newHashing() hashing {
	return hashing{newTurns(min(runtime.GOMAXPROCS(0), maxHashing), hashQueue), limit.NewTally[netip.Prefix](hashShare)}
}

// do runs work for a source when its turn comes; errBusy where that would be too late.
func (h hashing) do(ctx context.Context, from netip.Prefix, work func()) error {
	if !h.tally.Enter(from) {
		return errBusy
	}
	defer h.tally.Leave(from)
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	if !h.turns.enter(ctx, from) {
		return errBusy
	}
	defer h.turns.leave()
	work()
	return nil
}
