package keyexchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// Load reads a file of keys. Where it is encrypted password is asked, and not before; nil has none. It refuses with
// fault.Policy a file that others can read, or whose folder they can write to; the hint is the command that mends it. A
// missing file is fault.NotFound, a wrong password fault.LoginRefused, a missing one fault.Usage, and one that does not parse,
// or is larger than 16 KiB, fault.InvalidFile.
func Load(ctx context.Context, path string, password func() ([]byte, error)) (*Ring, error) {
	dir, base := filepath.Split(path)
	if err := secretfile.FolderExposed(path); err != nil {
		return nil, missing(path, err)
	}
	if err := durable.Settle(ctx, cmp.Or(dir, "."), base); err != nil {
		return nil, missing(path, err)
	}
	r, _, err := read(path, password)
	return r, err
}

// Look is Load, and changes nothing: of a change that was cut off it gives what was before.
func Look(path string, password func() ([]byte, error)) (*Ring, error) {
	if err := secretfile.FolderExposed(path); err != nil {
		return nil, missing(path, err)
	}
	r, _, err := read(path, password)
	return r, err
}

// read gives the ring of a file, and the password that it is encrypted with; nil where it is not.
func read(path string, ask func() ([]byte, error)) (*Ring, []byte, error) {
	text, exposed, err := secretfile.Read(path, maxRingFile)
	if err := cmp.Or(err, exposed); err != nil {
		return nil, nil, missing(path, err)
	}
	var password []byte
	if isEncrypted(text) {
		if text, password, err = decrypt(text, ask); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	r, err := parseRing(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, password, nil
}

func missing(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fault.New(fault.NotFound, "make it with `keyward keyexchange serve`, or name it with --exchange-keys", "%s: no exchange keys: %w", path, fs.ErrNotExist)
}

// Create writes the file of a new ring, mode 0600, and makes its folder, mode 0700, where there is none. A password that is
// not empty encrypts it. A file that is there already is fault.Exists, and stays: of two who create it at once one does.
func Create(ctx context.Context, path string, r *Ring, password []byte) error {
	dir, base := filepath.Split(path)
	dir = cmp.Or(dir, ".")
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return err
	}
	if err := secretfile.FolderExposed(path); err != nil {
		return err
	}
	err := durable.Put(ctx, dir, base, []durable.File{{Name: base, Data: r.file(password), Mode: 0o600}}, false)
	if errors.Is(err, fault.Exists) {
		return fault.New(fault.Exists, "use the keys that are there, or `keyward keyexchange rotate`", "%s: exchange keys are already there", path)
	}
	return err
}

// file is what a ring's file holds.
func (r *Ring) file(password []byte) []byte {
	if len(password) == 0 {
		return r.text()
	}
	return encrypt(r.text(), password)
}

// Update puts another ring in the place of a file's, and returns it: the one that change makes of the old. While it runs the
// file is locked, so no change is lost to another. What was encrypted is encrypted again, with the same password. Its errors
// are those of Load and of change.
func Update(ctx context.Context, path string, password func() ([]byte, error), change func(*Ring) (*Ring, error)) (*Ring, error) {
	dir, base := filepath.Split(path)
	if err := secretfile.FolderExposed(path); err != nil {
		return nil, missing(path, err)
	}
	var changed *Ring
	err := durable.Change(ctx, durable.Set{Dir: cmp.Or(dir, "."), Name: base, Replace: true, Build: func() ([]durable.File, error) {
		old, secret, err := read(path, password)
		if err != nil {
			return nil, err
		}
		if changed, err = change(old); err != nil {
			return nil, err
		}
		return []durable.File{{Name: base, Data: changed.file(secret), Mode: 0o600}}, nil
	}})
	if err != nil {
		return nil, missing(path, err)
	}
	return changed, nil
}
