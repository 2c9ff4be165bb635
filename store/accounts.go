package store

import (
	"encoding/json"

	"keyward/bus"
	"keyward/fault"
)

// The answers of a store about accounts.
var (
	// ErrChanged: the account has another revision than the caller saw.
	ErrChanged = fault.New(fault.Exists, "look at it again, and change what is there now", "it was changed meanwhile")
	// ErrRevoked: the account is revoked, and is not changed any more.
	ErrRevoked = fault.New(fault.Policy, "add it again; certificates from before then stay shut out", "it is revoked")
)

// MaxAccount is the size of the largest account in bytes of JSON: it fits into a request and into a line of a backup.
const MaxAccount = 60 << 10

// ValidAccount returns nil for an account that the registry takes: one that bus.Account.Validate does, of at most MaxAccount
// bytes. Otherwise a fault.Policy, with the bus.Faults where there are any.
func ValidAccount(a bus.Account) error {
	if err := a.Validate(); err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err // of a time in the year 10000
	}
	if len(text) > MaxAccount {
		return fault.New(fault.Policy, "use wildcards, or spread it over several accounts",
			"account %s has %d bytes in JSON, and may have %d", a.Name, len(text), MaxAccount)
	}
	return nil
}
