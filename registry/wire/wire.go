// Package wire is what the registry and its clients share: the paths, the JSON
// types and the error codes of the REST API v3. Token and Project are Altair's,
// as documented for vovserver. The paths behind keys and users are in no public
// page: those here are keyward's own, kept in this one table.
package wire

import (
	"net/url"
	"time"

	"keyward/bus"
)

// The paths. A {name} is a path segment, percent-encoded.
const (
	PathToken     = "/api/v3/token"                           // POST log in, DELETE revoke
	PathProject   = "/api/v3/project/1/project"               // GET
	PathVersion   = "/api/v3/project/1/version"               // GET
	PathServerKey = "/api/v3/serverkey"                       // GET, no login
	PathKeys      = "/api/v3/keys"                            // GET the keys of all users
	PathUserKeys  = "/api/v3/users/{user}/keys"               // GET list, POST add
	PathUserKey   = "/api/v3/users/{user}/keys/{fingerprint}" // PATCH, DELETE
	PathPrune     = "/api/v3/keys/prune"                      // POST
	PathDirectory = "/api/v3/directory/{user}"                // GET
	PathAccounts  = "/api/v3/bus/accounts"                    // GET list, POST add
	PathAccount   = "/api/v3/bus/accounts/{account}"          // GET, PUT update, DELETE revoke
	PathAudit     = "/api/v3/audit"                           // GET, with QueryAfter
	PathUsers     = "/api/v3/users"                           // GET list, POST add
	PathUser      = "/api/v3/users/{user}"                    // DELETE
	PathPassword  = "/api/v3/users/{user}/password"           // PUT
	PathOpenAPI   = "/api/v3/openapi.json"                    // GET, no login
	PathHealth    = "/healthz"                                // GET, no login: the process lives
	PathReady     = "/readyz"                                 // GET, no login: the store answers
)

// UserPath fills the {user} of PathUser.
func UserPath(user string) string { return PathUsers + "/" + url.PathEscape(user) }

// PasswordPath fills the {user} of PathPassword.
func PasswordPath(user string) string { return UserPath(user) + "/password" }

// UserKeysPath fills the {user} of PathUserKeys.
func UserKeysPath(user string) string { return UserPath(user) + "/keys" }

// UserKeyPath fills PathUserKey.
func UserKeyPath(user, fingerprint string) string {
	return UserKeysPath(user) + "/" + url.PathEscape(fingerprint)
}

// DirectoryPath fills the {user} of PathDirectory.
func DirectoryPath(user string) string { return "/api/v3/directory/" + url.PathEscape(user) }

// AccountPath fills the {account} of PathAccount.
func AccountPath(account bus.Name) string {
	return PathAccounts + "/" + url.PathEscape(string(account))
}

// QueryAfter asks PathAudit for the records after this number.
const QueryAfter = "after"

// The largest request bodies in bytes; a larger one is answered 413.
const (
	MaxForm = 8 << 10  // to PathToken, which takes it from strangers
	MaxBody = 64 << 10 // to every other path
)

// MaxAnswer is the largest answer in bytes that a client reads, but for PathKeys, PathAccounts and PathAudit, which stream.
const MaxAnswer = 1 << 20

// The form fields of POST PathToken.
const (
	GrantPassword = "password"
	GrantAPIKey   = "apikey"

	FieldGrantType    = "grant_type"
	FieldUsername     = "username"
	FieldPassword     = "password"
	FieldAPIKey       = "apikey"
	FieldClientID     = "client_id"
	FieldClientSecret = "client_secret"
	FieldScope        = "scope" // words of Scope with spaces between them (RFC 6749, section 3.3); all that the login may give where there is none
)

// The scopes of a token.
const (
	ScopeRead  = "read"  // look at what the user may see
	ScopeKeys  = "keys"  // change the user's own keys and password; for a password only
	ScopeAdmin = "admin" // what an administrator may; for an administrator's password only
)

// Time is how a time stands in JSON: RFC 3339 in UTC, to the second; "" for none.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Token answers a login. Altair's access_token is a JWT; ours is opaque, with 256 random bits.
type Token struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"` // "Bearer"
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
	// Handover comes with a key login that was sealed for a key of the server that is being replaced: it vouches for
	// the new one, as keys.OpenHandover reads it.
	Handover string `json:"handover,omitempty"`
}

// Key is one registered public key.
type Key struct {
	User        string `json:"user"`
	Key         string `json:"key"`         // key string, "32:..."
	Fingerprint string `json:"fingerprint"` // "sha256:" and 64 hex digits
	Description string `json:"description"`
	Created     string `json:"created"` // RFC 3339, UTC, as all times

	Labels   []string `json:"labels,omitempty"`
	Expires  string   `json:"expires,omitempty"`   // "" where it does not
	LastUsed string   `json:"last_used,omitempty"` // when it last logged in, to the minute
	LastFrom string   `json:"last_from,omitempty"` // and from which address
}

// Keys answers a list of keys.
type Keys struct {
	Keys []Key `json:"keys"`
}

// NewKey asks to register a key.
type NewKey struct {
	Key         string   `json:"key"`
	Description string   `json:"description"`
	Labels      []string `json:"labels,omitempty"`
	Expires     string   `json:"expires,omitempty"` // RFC 3339; "" where it does not
}

// KeyChange asks to change a key.
type KeyChange struct {
	Expires string `json:"expires"` // RFC 3339; "" where it does not
}

// Prune asks to delete the keys that expired.
type Prune struct {
	Before string `json:"before"` // RFC 3339: those whose expiry was before then; "" is now
}

// DirectoryKey is a public key as other users see it.
type DirectoryKey struct {
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
	Created     string `json:"created"`
	Expires     string `json:"expires,omitempty"`
}

// Directory answers with the keys of a user that have not expired.
type Directory struct {
	User string         `json:"user"`
	Keys []DirectoryKey `json:"keys"`
}

// AuditRecord is a record of the audit log (package store/audit).
type AuditRecord struct {
	Line      string `json:"line"`
	Signature string `json:"signature"` // standard base64
}

// Audit answers with a part of the audit log.
type Audit struct {
	Key     string        `json:"key"` // that it is signed with: Ed25519, 32 bytes in standard base64
	Records []AuditRecord `json:"records"`
}

// User is one user of the registry.
type User struct {
	Name    string `json:"name"`
	Admin   bool   `json:"admin"`
	Keys    int    `json:"keys"`    // how many are registered
	Created string `json:"created"` // RFC 3339, UTC
}

// Users answers a list of users.
type Users struct {
	Users []User `json:"users"`
}

// NewUser asks to add a user.
type NewUser struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Admin    bool   `json:"admin,omitempty"`
}

// NewPassword asks to change a password.
type NewPassword struct {
	Password string `json:"password"`
}

// NewAccount asks to add an account of the bus, also in the place of one that is revoked. A bus.Account answers.
type NewAccount struct {
	Name       bus.Name      `json:"name"`
	Roles      []bus.Role    `json:"roles,omitempty"`
	Publish    []bus.Pattern `json:"publish,omitempty"`
	Subscribe  []bus.Pattern `json:"subscribe,omitempty"`
	Identities []string      `json:"identities"`
}

// AccountChange asks to give an account, of the revision that the caller saw, other roles, patterns and identities.
// A bus.Account answers.
type AccountChange struct {
	Revision   uint64        `json:"revision"`
	Roles      []bus.Role    `json:"roles,omitempty"`
	Publish    []bus.Pattern `json:"publish,omitempty"`
	Subscribe  []bus.Pattern `json:"subscribe,omitempty"`
	Identities []string      `json:"identities"`
}

// Accounts answers a list of accounts, by name, the revoked ones too.
type Accounts struct {
	Accounts []bus.Account `json:"accounts"`
}

// ServerKey answers with the server's public key.
type ServerKey struct {
	Key         string   `json:"key"`
	Fingerprint string   `json:"fingerprint"`
	Others      []string `json:"others,omitempty"` // more keys that logins may be sealed for, while one is replaced
}

// Table is Altair's shape of a query's answer.
type Table struct {
	StartRow int      `json:"startrow"`
	EndRow   int      `json:"endrow"`
	Query    string   `json:"query"`
	ErrorMsg string   `json:"errormsg"`
	Columns  []Column `json:"columns"`
	Rows     [][]any  `json:"rows"`
}

// Column names one column of a Table.
type Column struct {
	Col   int    `json:"col"`
	Field string `json:"field"`
}

// Code says what went wrong, in every answer with a status over 300.
type Code string

// The codes and their HTTP status.
const (
	CodeBadRequest     Code = "bad_request"        // 400: not what the path takes; 413, 415 too
	CodeLoginRefused   Code = "login_refused"      // 401: user, password, key or token
	CodeLoginTime      Code = "login_time"         // 401: the seal is right, its time is off; ServerTime is set
	CodeLoginReplay    Code = "login_replay"       // 401: the seal is right and was used before
	CodeNotPermitted   Code = "not_permitted"      // 403
	CodePasswordNeeded Code = "password_needed"    // 403: the token came from a key login
	CodeNotFound       Code = "not_found"          // 404
	CodeMethod         Code = "method_not_allowed" // 405
	CodeExists         Code = "exists"             // 409
	CodeChanged        Code = "changed"            // 409: it has another revision by now
	CodePolicy         Code = "policy"             // 422: a key, name or password that the registry refuses
	CodeLimited        Code = "too_many_failures"  // 429: too many refused logins; Retry-After is set
	CodeBusy           Code = "busy"               // 503: try again; Retry-After is set
	CodeUnavailable    Code = "unavailable"        // 503: the database cannot be reached; Retry-After is set
	CodeInternal       Code = "internal"           // 500
)

// Error answers a failure. Its first field is what Altair's clients look for.
type Error struct {
	Error      Code        `json:"error"`
	Message    string      `json:"message"`
	Hint       string      `json:"hint,omitempty"`
	Faults     []bus.Fault `json:"faults,omitempty"`      // all that is wrong with an account, with CodePolicy
	ServerTime float64     `json:"server_time,omitempty"` // unix seconds, with CodeLoginTime
	RequestID  string      `json:"request_id,omitempty"`  // names the request in the server's log
}
