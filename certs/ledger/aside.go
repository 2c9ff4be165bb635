package ledger

import (
	"bufio"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"keyward/fault"
)

// makeRoom has the ledger at path be the CA's own, or none. A CA that was made anew has another key:
// the ledger of the old one is kept beside it under the key's pin, and comes back to its place when the
// old CA does, as after a kill between the new ledger and the new CA.
func makeRoom(path string, ca *x509.Certificate, isNew bool) error {
	own := start(ca).Sum
	there, err := owner(path)
	if err != nil || there == own.String() {
		return err
	}
	aside := asidePath(path, own.String())
	_, err = os.Lstat(aside)
	kept := err == nil
	if there != "" {
		if !kept && !isNew {
			return fault.New(fault.InvalidFile, "name its own ledger with --ledger, or move this one away",
				"%s is the ledger of another CA, whose key has the pin sha256:%s", path, there)
		}
		to := asidePath(path, there)
		if _, err := os.Lstat(to); err == nil {
			return fault.New(fault.Exists, "move it away", "%s is there already", to)
		}
		if err := move(path, to); err != nil {
			return err
		}
	}
	if kept {
		return move(aside, path) // over what a killed Start began, if it did
	}
	return nil
}

// asidePath is where the ledger of a key lies while another's is at path.
func asidePath(path, pin string) string {
	base, _ := strings.CutSuffix(path, ".ledger")
	return base + "." + pin[:16] + ".ledger"
}

// owner is the pin, in hex, of the key that a ledger begins with; "" where there is no first line.
func owner(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", unwritable(path, err)
	}
	defer f.Close()
	text, err := bufio.NewReader(io.LimitReader(f, maxLine)).ReadBytes('\n')
	if errors.Is(err, io.EOF) {
		return "", nil
	}
	if err != nil {
		return "", unwritable(path, err)
	}
	first, err := parse(text)
	if err == nil && (first.Seq != 1 || first.Op != Begin || sumOf(first.Prev).String() != first.Prev) {
		err = errNoLine
	}
	if err != nil {
		return "", damaged(path, err)
	}
	return first.Prev, nil
}

// sumOf reads a sum in hex; zeros where it is none.
func sumOf(s string) (sum Sum) {
	raw, err := hex.DecodeString(s)
	if err == nil && len(raw) == len(sum) {
		copy(sum[:], raw)
	}
	return sum
}

// move renames a ledger for good.
func move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return unwritable(from, err)
	}
	if err := syncFolder(filepath.Dir(to)); err != nil {
		return unwritable(to, err)
	}
	return nil
}
