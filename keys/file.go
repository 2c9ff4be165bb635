package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// DefaultPath is where VOV keeps a user's key: home/.vov/userkey.
func DefaultPath(home string) string { return filepath.Join(home, ".vov", "userkey") }

// Load reads the userkey file at path. It refuses with fault.Policy a file that others can
// read, or whose folder they can write to; the hint is the command that mends it. A missing
// file is fault.NotFound; one that is no userkey, is larger than 4 KiB or is not a regular
// file is fault.InvalidFile.
func Load(ctx context.Context, path string) (Pair, error) {
	if err := refuseFolder(path); err != nil {
		return Pair{}, err
	}
	if err := secretfile.FolderExposed(path); err != nil {
		return Pair{}, missing(path, err)
	}
	if err := settle(ctx, path); err != nil {
		return Pair{}, err
	}
	data, exposed, err := secretfile.Read(path, maxUserkey)
	if err := cmp.Or(err, exposed); err != nil {
		return Pair{}, missing(path, err)
	}
	p, err := ParseUserkey(data)
	if err != nil {
		return Pair{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// refuseFolder has a message for those who name the folder alone.
func refuseFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fault.New(fault.InvalidFile, "name a file, such as "+filepath.Join(path, "userkey"), "user key: %s is a folder", path)
	}
	return nil
}

// settle ends what a killed Save left.
func settle(ctx context.Context, path string) error {
	return missing(path, durable.Settle(ctx, filepath.Dir(path), filepath.Base(path)))
}

// missing gives a path that is not there its own hint, and returns every other err as it is.
func missing(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fault.New(fault.NotFound, "make a key with `keyward keygen`, or name its file with --keyfile", "%s: no user key: %w", path, fs.ErrNotExist)
}

// Save writes p's userkey file, mode 0600, and makes its folder, mode 0700, if there is
// none. A pair without a time gets now as its time. Where a file is there, Save fails with
// fault.Exists, whatever it is, or with replace keeps it beside the new one as backup, a path such as
// userkey.20261121T213708Z.bak. After a crash both files are there, or neither and the old one.
func Save(ctx context.Context, path string, p Pair, replace bool, now time.Time) (backup string, err error) {
	if err := p.check(); err != nil {
		return "", err
	}
	if p.Created.IsZero() {
		p.Created = now
	}
	if err := refuseFolder(path); err != nil {
		return "", err
	}
	dir, base := filepath.Dir(path), filepath.Base(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fault.New(fault.Failed, "name a file in a folder that you can make or write to", "make the key's folder: %w", err)
	}
	if err := secretfile.FolderExposed(path); err != nil {
		return "", err
	}
	err = durable.Change(ctx, durable.Set{Dir: dir, Name: base, Replace: replace, Build: func() ([]durable.File, error) {
		files := []durable.File{{Name: base, Data: p.Userkey(), Mode: 0o600}}
		if !replace {
			return files, nil
		}
		old, err := kept(path, now)
		if err != nil || old == nil {
			return files, err
		}
		backup = filepath.Join(dir, old.Name)
		return append(files, *old), nil
	}})
	switch {
	case errors.Is(err, fault.Exists):
		return "", fault.New(fault.Exists, "use --force to make a new one; the old one is kept as a dated backup", "%s: a user key is already there", path)
	case err != nil:
		return "", err
	}
	return backup, nil
}

// kept is the file at path under the name of its backup; nil where there is none. What is
// too large to be a userkey is not replaced: it must be another file's name.
func kept(path string, now time.Time) (*durable.File, error) {
	data, _, err := secretfile.Read(path, maxUserkey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stamp := filepath.Base(path) + "." + now.UTC().Format("20060102T150405Z")
	name := stamp + ".bak"
	for n := 2; taken(filepath.Join(filepath.Dir(path), name)); n++ { // a second save in this second
		name = stamp + "-" + strconv.Itoa(n) + ".bak"
	}
	return &durable.File{Name: name, Data: data, Mode: 0o600}, nil
}

func taken(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
