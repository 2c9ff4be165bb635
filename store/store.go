// Package store says what the registry keeps: users, their public keys, the tokens
// it gave out and the key logins that were used. Store is the interface, its comment
// the law; storetest checks an implementation against it.
package store

import (
	"context"
	"iter"
	"time"

	"keyward/internal/fault"
	"keyward/keys"
)

// The answers of a store that are not faults of the store. They come wrapped, with what
// it was about; ask for them with errors.Is.
var (
	ErrExists   = fault.New(fault.Exists, "", "already there")
	ErrNotFound = fault.New(fault.NotFound, "", "not found")
)

// User is one user of the registry.
type User struct {
	Name     string // as ValidName has it, never changed
	Admin    bool
	Password string // argon2id hash as a PHC string, never the password
	Created  time.Time
	Keys     int // how many keys are registered; filled by Store.User and Store.Users only
}

// Key is a public key that a user registered.
type Key struct {
	User        string
	Public      keys.PublicKey
	Description string // as ValidDescription has it
	Created     time.Time
}

// Token is a login that was granted. The store sees the token's SHA-256 only.
type Token struct {
	Hash    [32]byte
	User    string
	FromKey bool // granted for a key, not for the password
	Expires time.Time
}

// Login is a used key login, remembered until its time can no longer pass.
type Login struct {
	ID    [32]byte
	Until time.Time
}

// Store keeps what the registry knows. This is its law:
//
// A method is safe for concurrent use and acts as a whole, at one moment between its call
// and its return, or not at all; AllKeys alone takes longer.
//
// A write that returns nil is durable: synced to the disk, so that a kill or a power cut
// cannot undo it, and every later read sees it. One that returns ErrExists or ErrNotFound,
// or that refuses a name or a description, changed nothing. One that returns any other
// error, that of its ended context included, may have happened or not.
//
// ErrNotFound means that the user, key or token the call is about is not there, ErrExists
// that the one to be added is. All other errors are faults of the store. None holds a
// password, a hash or an identifier of a login.
//
// A user and all that is theirs go by name, which is compared byte by byte. Lists come in
// the order of these bytes: users by name, keys by user, then time of creation, then
// fingerprint. No list is nil.
//
// Times are kept to the microsecond and returned in UTC. The store has no clock: it returns
// a token that expired, and refuses a login that was used, until Prune removes them.
type Store interface {
	// AddUser adds a user; User.Keys is ignored.
	AddUser(ctx context.Context, u User) error
	// User finds a user by name.
	User(ctx context.Context, name string) (User, error)
	// Users lists all users.
	Users(ctx context.Context) ([]User, error)
	// SetPassword replaces the password hash and forgets all tokens of the user.
	SetPassword(ctx context.Context, name, hash string) error
	// DeleteUser deletes a user with their keys and tokens. Should the name be added
	// again, none of them comes back.
	DeleteUser(ctx context.Context, name string) error

	// AddKey registers a key; ErrExists where the user has it already, whatever its
	// description. Several users may have the same key.
	AddKey(ctx context.Context, k Key) error
	// Keys lists the keys of a user; ErrNotFound where there is no such user.
	Keys(ctx context.Context, user string) ([]Key, error)
	// AllKeys streams the keys of all users in constant memory. It yields a key that is
	// there all along exactly once; one that comes or goes meanwhile it may leave out. An error
	// ends it. The caller may take as long as it likes between two keys.
	AllKeys(ctx context.Context) iter.Seq2[Key, error]
	// DeleteKey deletes the user's key with this fingerprint.
	DeleteKey(ctx context.Context, user, fingerprint string) error

	// AddToken adds a token; ErrNotFound where there is no such user.
	AddToken(ctx context.Context, t Token) error
	// AddLogin notes a used key login and adds the token it was granted, both or neither:
	// ErrExists where the login was used before, ErrNotFound where there is no such user.
	AddLogin(ctx context.Context, l Login, t Token) error
	// Token finds a token by its hash, together with its user.
	Token(ctx context.Context, hash [32]byte) (Token, User, error)
	// DeleteToken revokes a token. The login it came from stays used.
	DeleteToken(ctx context.Context, hash [32]byte) error
	// Prune removes the tokens and used logins whose time was before now. It works in
	// small steps, so other writes need not wait; where it fails some are left.
	Prune(ctx context.Context, now time.Time) error

	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	// Close ends the store after the writes that it took; later calls fail. A second Close
	// does nothing.
	Close() error
}
