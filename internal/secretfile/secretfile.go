// Package secretfile reads small files that hold a secret, and tells when people
// other than their owner could read or replace them.
package secretfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"keyward/fault"
)

// Read returns what the file at path holds, at most limit bytes, and what Exposed says of
// it: of the very file that was read, so that a link that turns in between deceives nobody.
// The caller refuses an exposed file, or warns. Read never waits on a FIFO or a device. A
// missing file is fault.NotFound; one that is not regular or is larger is fault.InvalidFile.
func Read(path string, limit int64) (data []byte, exposed, err error) {
	f, info, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var text bytes.Buffer
	text.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // so that it is not copied as it grows
	if _, err := text.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, nil, unusable(path, err)
	}
	data = text.Bytes()
	if int64(len(data)) > limit {
		return nil, nil, fault.New(fault.InvalidFile, "name the right file", "%s: larger than %d bytes", path, limit)
	}
	return data, exposedFile(path, info), nil
}

// Open is Read for a file that is too large for that: the caller reads and closes it.
func Open(path string) (f *os.File, exposed, err error) {
	f, info, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	return f, exposedFile(path, info), nil
}

func open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, unusable(path, err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		return f, info, nil
	}
	_ = f.Close()
	if err != nil {
		return nil, nil, unusable(path, err)
	}
	return nil, nil, notRegular(path)
}

// Exposed tells whether others can read or write the file at path. It returns nil, or
// an error of kind fault.Policy whose hint is the command that mends it; a caller that
// only warns asks errors.Is(err, fault.Policy). A group may read a file that root owns.
// A file of another user than the caller or root is refused too. A symbolic link is
// followed. What is not a regular file is fault.InvalidFile. On Windows nothing else is
// refused, since a mode says nothing there. For a file that is read too, see Read.
func Exposed(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unusable(path, err)
	}
	if !info.Mode().IsRegular() {
		return notRegular(path)
	}
	return exposedFile(path, info)
}

// FolderExposed tells whether others can put another file in the place of the one at
// path, which need not exist: whether they can write to its folder, or to the folder of
// the file that it links to. Where path is a folder, it is that one. It returns what
// Exposed does. A sticky folder such as /tmp passes, since only a file's owner can replace
// it there.
func FolderExposed(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return exposedFolder(path, info)
	}
	dir := filepath.Dir(path)
	if err := checkFolder(dir); err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(target) != dir {
		return checkFolder(filepath.Dir(target))
	}
	return nil
}

func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return unusable(dir, err)
	}
	return exposedFolder(dir, info)
}

func unusable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "check the path", "%s: %w", path, fs.ErrNotExist)
	}
	// Opening a socket fails, so what it is has to be asked afterwards.
	if info, e := os.Stat(path); e == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return notRegular(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fault.New(fault.NotPermitted, forbiddenHint(path), "%w", err)
	}
	return fault.New(fault.Failed, "", "%w", err)
}

func notRegular(path string) error {
	return fault.New(fault.InvalidFile, "name a regular file", "%s: not a regular file", path)
}

// Quote makes path one word of a shell command.
func Quote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%=,", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
