package ledger

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// Path is where a CA's ledger lies: beside its certificate, root.ledger for root.cert.pem and for root.crt.
func Path(caCertFile string) string { return Basename(caCertFile) + ".ledger" }

// Basename is a CA's certificate file without its ending: root for root.cert.pem and for root.crt.
func Basename(caCertFile string) string {
	dir, name := filepath.Split(caCertFile)
	for _, ending := range []string{".cert.pem", ".cert.der", filepath.Ext(name)} {
		if base, ok := strings.CutSuffix(name, ending); ok && base != "" {
			name = base
			break
		}
	}
	return dir + name
}

// Append adds entries to the ledger at path, which it makes where there is none, and returns when they
// are on the disk: many cost one sync. Other Appends wait for their turn.
//
// A line that a killed or failed Append left unfinished is cut off; nothing was told of it. Of the others
// the last two are checked. What does not hold there is fault.InvalidFile, and so is the ledger of another
// CA. A ledger or folder that cannot be written to is fault.NotPermitted; a link in the
// ledger's place, or a file of another user than the caller or root, is fault.Policy.
func Append(ctx context.Context, path string, issuer *certs.Issuer, now time.Time, entries ...Entry) error {
	return change(ctx, path, issuer, false, now, func(*writer) ([]Entry, error) { return entries, nil })
}

// Start begins the ledger of a new CA with the CA itself. A ledger of another key that lies there is
// kept: as root.0123456789abcdef.ledger, after the first digits of that key's pin.
func Start(ctx context.Context, path string, issuer *certs.Issuer, now time.Time) error {
	return change(ctx, path, issuer, true, now, func(*writer) ([]Entry, error) { return nil, nil })
}

// writer is a ledger that is locked and opened to be written to.
type writer struct {
	path    string
	file    *os.File
	ca      *x509.Certificate
	size    int64 // up to the end of its last whole line
	head    Head
	created bool
}

// change locks and opens the ledger and adds what build gives. Where the ledger at path is that of another
// key, it is moved away if the CA is new, or if its own lies moved away.
func change(ctx context.Context, path string, issuer *certs.Issuer, isNew bool, now time.Time, build func(*writer) ([]Entry, error)) error {
	release, err := durable.Hold(ctx, filepath.Dir(path), filepath.Base(path))
	if errors.Is(err, fault.NotPermitted) {
		return fault.New(fault.NotPermitted, hintElsewhere, "write the ledger %s: %w", path, err)
	}
	if err != nil {
		return err
	}
	defer release()
	ca := issuer.Chain[0]
	if err := makeRoom(path, ca, isNew); err != nil {
		return err
	}
	w, err := open(path, ca)
	if err != nil {
		return err
	}
	defer w.file.Close()
	entries, err := build(w)
	if err != nil {
		if w.created {
			_ = os.Remove(path)
		}
		return err
	}
	if w.head.Seq == 0 {
		self := Issued(ca)
		self.Op = Begin
		entries = append([]Entry{self}, entries...)
	}
	return w.add(issuer, now, entries)
}

// add writes the entries, or leaves the ledger as it was.
func (w *writer) add(issuer *certs.Issuer, now time.Time, entries []Entry) error {
	var text []byte
	first := w.head.Seq == 0
	for _, entry := range entries {
		entry.Time = now.UTC().Truncate(time.Second)
		line, head, err := w.head.next(entry, issuer.Key)
		if err != nil {
			return err
		}
		text, w.head = append(text, line...), head
	}
	if len(text) == 0 {
		return nil
	}
	_, err := w.file.Write(text)
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil && first {
		err = syncFolder(filepath.Dir(w.path))
	}
	if err == nil {
		return nil
	}
	err = unwritable(w.path, err)
	if undo := w.undo(); undo != nil {
		return fmt.Errorf("%w; what was written of it stays: %w", err, undo)
	}
	return err
}

// undo cuts off what was added.
func (w *writer) undo() error {
	if w.created {
		return os.Remove(w.path)
	}
	return errors.Join(w.file.Truncate(w.size), w.file.Sync())
}

// open opens the ledger, made where it is missing, checks its last lines and cuts off an unfinished one.
func open(path string, ca *x509.Certificate) (*writer, error) {
	w := &writer{path: path, ca: ca}
	var err error
	w.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|noFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		w.created = true
		w.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL|noFollow, 0o644) //nolint:gosec // it holds no secret
	}
	if err != nil {
		return nil, unwritable(path, err)
	}
	if err := w.findHead(); err != nil {
		_ = w.file.Close()
		return nil, err
	}
	return w, nil
}

func (w *writer) findHead() error {
	info, err := w.file.Stat()
	switch {
	case err != nil:
		return unwritable(w.path, err)
	case !info.Mode().IsRegular():
		return fault.New(fault.Policy, "move it away", "%s is not a regular file", w.path)
	case secretfile.Foreign(info):
		return fault.New(fault.Policy, "move it away, or use a folder of your own", "%s belongs to another user", w.path)
	}
	last, err := w.tail(info.Size())
	if err != nil {
		return err
	}
	if w.head, err = checkTail(last, w.ca); err != nil {
		return damaged(w.path, err)
	}
	if w.size == info.Size() {
		return nil
	}
	if err := w.file.Truncate(w.size); err != nil {
		return unwritable(w.path, err)
	}
	return nil
}

// tail reads the last two whole lines, as far as they are there, and says where they end.
func (w *writer) tail(size int64) ([][]byte, error) {
	for length := int64(8 << 10); ; length *= 4 {
		from := max(size-length, 0)
		text := make([]byte, size-from)
		if _, err := w.file.ReadAt(text, from); err != nil && !errors.Is(err, io.EOF) {
			return nil, unwritable(w.path, err)
		}
		end := bytes.LastIndexByte(text, '\n') + 1
		lines := bytes.SplitAfter(text[:end], []byte("\n"))
		lines = lines[:len(lines)-1] // what follows the last newline
		if from > 0 && len(lines) < 3 && length < 2*maxLine {
			continue // the first of them may lack its beginning
		}
		if from > 0 && len(lines) < 2 {
			return nil, damaged(w.path, errNoLine)
		}
		w.size = from + int64(end)
		return lines[max(len(lines)-2, 0):], nil
	}
}

// checkTail checks the last lines and gives the head.
func checkTail(texts [][]byte, ca *x509.Certificate) (Head, error) {
	head := start(ca)
	for i, text := range texts {
		l, err := parse(text)
		if err != nil {
			return head, fmt.Errorf("line %d from its end: %w", len(texts)-i, err)
		}
		if i == 0 && (len(texts) == 2 || l.Seq > 1) {
			head.Seq, head.Sum = l.Seq-1, sumOf(l.Prev) // what goes before is not looked at here
		}
		if l.Seq != head.Seq+1 || l.Prev != head.Sum.String() || !l.signedBy(ca) {
			return head, fmt.Errorf("line %d from its end does not hold", len(texts)-i)
		}
		head = Head{l.Seq, l.sum}
	}
	return head, nil
}

func damaged(path string, err error) error {
	return fault.New(fault.InvalidFile, "`keyward ledger verify` says which line is wrong; restore it from a copy", "the ledger %s is damaged: %w", path, err)
}

// unwritable says what is in the way of a ledger.
func unwritable(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.New(fault.NotPermitted, hintElsewhere, "write the ledger %s: %w", path, err)
	case errors.Is(err, syscall.ELOOP):
		return fault.New(fault.Policy, "name the file itself with --ledger", "the ledger %s is a symbolic link", path)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Failed, "free some space on its disk and try again", "write the ledger %s: %w", path, err)
	}
	return fault.New(fault.Failed, hintElsewhere, "write the ledger %s: %w", path, err)
}

const hintElsewhere = "name another place with --ledger FILE, or keep none with --ledger none"
