// Package store says what the registry keeps: users, their public keys, the tokens
// it gave out, the key logins that were used, the accounts of the bus, and the audit log. Store is the interface, its
// comment the law; storetest checks an implementation against it.
package store

import (
	"context"
	"iter"
	"time"

	"keyward/bus"
	"keyward/fault"
	"keyward/keys"
	"keyward/store/audit"
)

// The answers of a store that are not faults of the store. They come wrapped, with what
// it was about; ask for them with errors.Is.
var (
	ErrExists   = fault.New(fault.Exists, "", "already there")
	ErrNotFound = fault.New(fault.NotFound, "", "not found")
	// ErrFull: the user has MaxKeys keys.
	ErrFull = fault.New(fault.Policy, "delete one first", "the user has %d keys, the most there may be", MaxKeys)
	// ErrLastAdmin: there would be no administrator left.
	ErrLastAdmin = fault.New(fault.Policy, "add another administrator first", "the last administrator cannot be deleted")
)

// ErrUnavailable is a database that cannot be reached or does not answer in time. It may again: the store
// needs no new start.
var ErrUnavailable = fault.New(fault.Unreachable, "", "the database cannot be reached")

// MaxKeys is how many keys a user may register: each is tried in a key login.
const MaxKeys = 100

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
	Description string   // as ValidDescription has it
	Labels      []string // as ValidLabels has them
	Created     time.Time
	Expires     time.Time // zero where it does not
	LastUsed    time.Time // when it last logged in, to the minute; zero where it never did
	LastFrom    string    // the address that it then came from
}

// Scopes are what a token may be used for.
type Scopes uint8

// The scopes, a bit each.
const (
	ScopeRead  Scopes = 1 << iota // look at what the user may see
	ScopeKeys                     // change the user's own keys and password
	ScopeAdmin                    // what an administrator may
)

// Token is a login that was granted. The store sees the token's SHA-256 only.
type Token struct {
	Hash    [32]byte
	User    string
	Key     string // fingerprint of the key that it was granted for; "" where that was the password
	Scopes  Scopes
	Expires time.Time
}

// Login is a used key login, remembered until its time can no longer pass.
type Login struct {
	ID    [32]byte
	Until time.Time
	At    time.Time // when it was used, for Key.LastUsed
	From  string    // the address that it came from
}

// ServerKey is a public NaCl key that the registry's servers have. A private one is in no store: it and any
// registered key forge that user's logins.
type ServerKey struct {
	Public keys.PublicKey
	Since  time.Time
	Until  time.Time // when logins sealed for it end; zero for the current one
}

// Failure is how often logins of a subject, a source or an account, were refused.
type Failure struct {
	Count int
	Last  time.Time
}

// Row is one thing of a store: exactly one of the pointers is set.
type Row struct {
	User      *User
	Key       *Key
	Login     *Login // without At and From
	ServerKey *ServerKey
	Account   *bus.Account
	Audit     *audit.Record
}

// Store keeps what the registry knows. This is its law:
//
// A method is safe for concurrent use and acts as a whole, at one moment between its call
// and its return, or not at all; AllKeys and Audit alone take longer.
//
// A write that returns nil is durable: synced to the disk, so that a kill or a power cut
// cannot undo it, and every later read sees it, in every process that shares the store. One that
// returns ErrExists, ErrNotFound, ErrFull, ErrLastAdmin, ErrChanged or ErrRevoked, or that refuses a name, a
// description, labels or an account, changed nothing. One that returns any other error, that of its ended context
// included, may have happened or not.
//
// ErrNotFound means that the user, key, token or account the call is about is not there, ErrExists
// that the one to be added is. All other errors are faults of the store, ErrUnavailable among them.
// None holds a password, a hash or an identifier of a login.
//
// A method that takes an audit.Act is a change: it and the record of the act are written
// together, or neither is. Records follow each other in the order of the changes.
//
// A user and all that is theirs go by name, which is compared byte by byte. Lists come in
// the order of these bytes: users and accounts by name, keys by user, then time of creation, then
// fingerprint. No list is nil.
//
// Each change of an account gives it the next number of one counter as its revision. The counter never goes back, and no
// account is ever forgotten: one that is revoked keeps its name.
//
// Times are kept to the microsecond and returned in UTC. The store has no clock: it returns
// a token and a key that expired, and refuses a login that was used, until they are pruned.
type Store interface {
	// AddUser adds a user; User.Keys is ignored.
	AddUser(ctx context.Context, u User, act audit.Act) error
	// User finds a user by name.
	User(ctx context.Context, name string) (User, error)
	// Users lists all users.
	Users(ctx context.Context) ([]User, error)
	// SetPassword replaces the password hash and forgets all tokens of the user.
	SetPassword(ctx context.Context, name, hash string, act audit.Act) error
	// DeleteUser deletes a user with their keys and tokens. Should the name be added
	// again, none of them comes back. ErrLastAdmin where no administrator would be left.
	DeleteUser(ctx context.Context, name string, act audit.Act) error

	// AddKey registers a key; ErrExists where the user has it already, whatever its
	// description, ErrFull where the user has MaxKeys. Several users may have the same key.
	AddKey(ctx context.Context, k Key, act audit.Act) error
	// Keys lists the keys of a user; ErrNotFound where there is no such user.
	Keys(ctx context.Context, user string) ([]Key, error)
	// AllKeys streams the keys of all users in constant memory. It yields a key that is
	// there all along exactly once; one that comes or goes meanwhile it may leave out. An error
	// ends it. The caller may take as long as it likes between two keys.
	AllKeys(ctx context.Context) iter.Seq2[Key, error]
	// ExpireKey sets the expiry of the user's key with this fingerprint; the zero time is none.
	ExpireKey(ctx context.Context, user, fingerprint string, at time.Time, act audit.Act) error
	// DeleteKey deletes the user's key with this fingerprint and forgets the tokens it was granted: should the key be
	// added again, none of them comes back.
	DeleteKey(ctx context.Context, user, fingerprint string, act audit.Act) error
	// PruneKeys deletes the keys whose expiry was before then, and returns them. The act is recorded
	// for each, with its user and fingerprint. It works in steps; where it fails it returns those that are gone.
	PruneKeys(ctx context.Context, before time.Time, act audit.Act) ([]Key, error)

	// AddToken adds a token; ErrNotFound where there is no such user.
	AddToken(ctx context.Context, t Token) error
	// AddLogin notes a used key login, adds the token it was granted, and notes the use of
	// Token.Key, all or nothing: ErrExists where the login was used before, ErrNotFound where there is
	// no such user or the user has no such key. A use within a minute of the last, from the
	// same address, may be left out.
	AddLogin(ctx context.Context, l Login, t Token) error
	// Token finds a token by its hash, together with its user. Its Expires is that of its key where that is earlier.
	Token(ctx context.Context, hash [32]byte) (Token, User, error)
	// DeleteToken revokes a token. The login it came from stays used.
	DeleteToken(ctx context.Context, hash [32]byte) error

	// AddFailure counts one more refused login for each subject, of at most 128 bytes.
	AddFailure(ctx context.Context, at time.Time, subjects ...string) error
	// Failures tells how often logins of these subjects were refused, in their order.
	Failures(ctx context.Context, subjects ...string) ([]Failure, error)
	// ForgetFailures sets the counts of these subjects back to none.
	ForgetFailures(ctx context.Context, subjects ...string) error

	// Prune removes the tokens and used logins whose time was before now, and failures that
	// were last counted FailureMemory before; of these also the oldest past MaxFailures. It works in
	// small steps, so other writes need not wait; where it fails some are left.
	Prune(ctx context.Context, now time.Time) error

	// ServerKeys lists the servers' public keys on record, the current one first.
	ServerKeys(ctx context.Context) ([]ServerKey, error)
	// SetServerKeys replaces them, if have is what is on record: ErrExists where it is not.
	SetServerKeys(ctx context.Context, have, list []ServerKey, act audit.Act) error

	// AddAccount adds an account, which is then active, and returns it. Its State, Revision and NotBefore are ignored. ErrExists
	// where an active one has the name, or any has it in another case. Over a revoked one it makes another, which takes
	// certificates from the time of the act on, rounded up to the second.
	AddAccount(ctx context.Context, a bus.Account, act audit.Act) (bus.Account, error)
	// UpdateAccount gives the account other roles, patterns and identities, and returns it. Its State and NotBefore stay as
	// they are. ErrChanged where it has another Revision by now, ErrRevoked where it is.
	UpdateAccount(ctx context.Context, a bus.Account, act audit.Act) (bus.Account, error)
	// RevokeAccount revokes an account, and one that is revoked again.
	RevokeAccount(ctx context.Context, name bus.Name, act audit.Act) error
	// Account finds an account by name, a revoked one too.
	Account(ctx context.Context, name bus.Name) (bus.Account, error)
	// Accounts lists at most limit accounts behind a name; "" is before all.
	Accounts(ctx context.Context, after bus.Name, limit int) ([]bus.Account, error)
	// AccountChanges lists at most limit accounts whose revision is over since, as they are now, by revision. next is what to ask
	// with then: the revision of the last, or the counter where there are none. A next below since says that this is
	// another store than the one before, such as an older copy of its file. Asked with math.MaxInt64 it tells the counter.
	AccountChanges(ctx context.Context, since int64, limit int) (changed []bus.Account, next int64, err error)

	// Note records an act that changed nothing here.
	Note(ctx context.Context, act audit.Act) error
	// Audit streams the records after the one with this number, as AllKeys streams keys.
	Audit(ctx context.Context, after int64) iter.Seq2[audit.Record, error]

	// Export streams all but tokens and failures, as of one moment: users, keys, logins, server
	// keys, accounts, audit records, each in the order of its list. An error ends it.
	Export(ctx context.Context) iter.Seq2[Row, error]
	// Import replaces all that Export streams by the rows, and forgets tokens and failures, in one
	// transaction; the first error of rows undoes it. Used logins and audit records are only added: where the store has
	// records, one chain must be the beginning of the other, else it is fault.Policy and nothing changed. Each account gets a
	// new revision, over all that this store or the rows have and over the microseconds since 1970 at the time of the act, so that it
	// is none of a store that was lost; one that the rows have not is revoked. Last it records the act.
	// It holds on to rows for a while, so what they point at stays as it is.
	Import(ctx context.Context, rows iter.Seq2[Row, error], act audit.Act) error

	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	// Close ends the store after the writes that it took; later calls fail. A second Close
	// does nothing.
	Close() error
}

// The bounds on failures.
const (
	FailureMemory = time.Hour
	MaxFailures   = 100_000
)

// Equal compares two keys on record.
func (k ServerKey) Equal(other ServerKey) bool {
	return k.Public == other.Public && k.Since.Equal(other.Since) && k.Until.Equal(other.Until)
}
