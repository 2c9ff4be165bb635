// Package backup is the form of the registry's backup file: JSON Lines with a header, a line for each row of the store
// in the order of Store.Export, the key files that go with it, and an end with counts and a SHA-256. docs/backup.md describes it.
//
// It holds password hashes, and may hold private keys, so it is a secret. A reader takes what Write writes, byte for
// byte, and nothing else: a file that was cut off or changed is no backup.
package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"keyward/fault"
	"keyward/store"
	"keyward/store/audit"
)

// Version is that of the format. Version 1 had no accounts.
const Version = 2

// The bounds of a backup.
const (
	MaxLine  = 1 << 20   // bytes of a line with its newline
	MaxFile  = 512 << 10 // bytes of a file in it
	MaxFiles = 64
)

// Header says when a backup was taken, to the microsecond, and by which version of keyward.
type Header struct {
	Time    time.Time
	Keyward string
}

// File is a file that goes with the store, such as the server's key.
type File struct {
	Name   string // without a folder
	Data   []byte
	Secret bool // for its owner alone
}

// Summary is what a backup holds, but for the rows, which may be too many to keep.
type Summary struct {
	Header
	Tally
	Files  []File
	SHA256 string // hex, of all lines but the last
}

// Write writes a backup of the rows, as Store.Export gives them. What Check would refuse is a fault.InvalidFile, since a
// backup that cannot be restored is none. The first error of rows or of w ends it.
func Write(w io.Writer, h Header, rows iter.Seq2[store.Row, error], files []File) (Summary, error) {
	out := writer{to: bufio.NewWriterSize(w, 64<<10), hash: sha256.New()}
	s := Summary{Header: h, Files: files}
	err := out.put(line{Header: newHeader(h)})
	for row, rowErr := range rows {
		if err == nil {
			err = rowErr
		}
		if err == nil {
			err = s.Add(row)
		}
		if err == nil {
			err = out.put(newLine(row))
		}
		if err != nil {
			return Summary{}, err
		}
	}
	for _, f := range files {
		if err == nil {
			err = f.check()
		}
		if err == nil {
			err = out.put(line{File: newFile(f)})
		}
	}
	if err == nil && len(files) > MaxFiles {
		err = invalid("there are %d files, more than %d", len(files), MaxFiles)
	}
	if err != nil {
		return Summary{}, err
	}
	s.SHA256 = hex.EncodeToString(out.hash.Sum(nil))
	if err := out.put(line{End: newEnd(s)}); err != nil {
		return Summary{}, err
	}
	return s, out.to.Flush()
}

// writer writes lines and hashes them.
type writer struct {
	to   *bufio.Writer
	hash hash.Hash
}

func (w *writer) put(l line) error {
	text, err := l.text()
	if err != nil {
		return err
	}
	if len(text) > MaxLine {
		return invalid("a line has %d bytes, more than %d", len(text), MaxLine)
	}
	w.hash.Write(text)
	_, err = w.to.Write(text)
	return err
}

func invalid(format string, args ...any) error {
	return fault.New(fault.InvalidFile, "", format, args...)
}

// Check reads a whole backup and tells what it holds. One that does not hold is a fault.InvalidFile.
func Check(r io.Reader) (Summary, error) {
	return read(r, func(store.Row) bool { return true })
}

// Rows streams the rows of a backup, for Store.Import. That one does not hold may be seen at its end only: the error comes last.
func Rows(r io.Reader) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		more := true
		_, err := read(r, func(row store.Row) bool {
			more = yield(row, nil)
			return more
		})
		if err != nil && more {
			yield(store.Row{}, err)
		}
	}
}

// Tally counts the rows of a store and sees that they come as Store.Export has them. The zero Tally is that of none.
type Tally struct {
	Users, Keys, Logins, ServerKeys, Accounts, Records int64

	Head audit.Head // of the audit log
	last place
}

// Add takes the next row. One that Store.Export would not give there is a fault.InvalidFile.
func (t *Tally) Add(row store.Row) error {
	if err := check(row); err != nil {
		return err
	}
	if err := t.last.follow(row); err != nil {
		return err
	}
	switch {
	case row.User != nil:
		t.Users++
	case row.Key != nil:
		t.Keys++
	case row.Login != nil:
		t.Logins++
	case row.ServerKey != nil:
		t.ServerKeys++
	case row.Account != nil:
		t.Accounts++
	default:
		head, _, err := t.Head.Follow(*row.Audit)
		if err != nil {
			return err
		}
		t.Head = head
		t.Records++
	}
	return nil
}

// String is the counts in words.
func (t Tally) String() string {
	return fmt.Sprintf("%s, %s, %s, %s, %s, %s", some(t.Users, "user"), some(t.Keys, "key"), some(t.Logins, "used login"),
		some(t.ServerKeys, "server key"), some(t.Accounts, "bus account"), some(t.Records, "audit record"))
}

func some(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
