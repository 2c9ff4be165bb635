package durable

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// record is what the journal says: the set's names, how they are placed, and whether
// that is decided. Its text is one line "replace" or "create", each name as a Go
// string on a line of its own, and "place" when it is decided.
type record struct {
	replace bool
	names   []string
	decided bool
}

// maxJournal bounds a journal in bytes; ours are a few hundred.
const maxJournal = 64 << 10

// journaled tells whether the set needs a journal at all: one file does not.
func (r record) journaled() bool { return len(r.names) > 1 }

// header is the text up to the decision.
func (r record) header() []byte {
	var b bytes.Buffer
	if r.replace {
		b.WriteString("replace\n")
	} else {
		b.WriteString("create\n")
	}
	for _, n := range r.names {
		fmt.Fprintf(&b, "%q\n", n)
	}
	return b.Bytes()
}

const decision = "place\n"

// parseRecord reads a journal. One that was torn was never synced, so nothing hung on
// it yet: it reads as the empty record, which decides nothing.
func parseRecord(text string) record {
	var r record
	text, r.decided = strings.CutSuffix(text, decision)
	text, whole := strings.CutSuffix(text, "\n")
	lines := strings.Split(text, "\n")
	r.replace = lines[0] == "replace"
	if !whole || !r.replace && lines[0] != "create" {
		return record{}
	}
	for _, l := range lines[1:] {
		n, err := strconv.Unquote(l)
		if err != nil {
			return record{}
		}
		r.names = append(r.names, n)
	}
	if checkNames("journal", r.names) != nil {
		return record{}
	}
	return r
}

// readJournal reads what a killed run decided; the empty record where there is no journal.
func (s *set) readJournal() (record, error) {
	there, err := s.found(s.journal())
	if there == nil || err != nil {
		return record{}, err
	}
	if !there.Mode().IsRegular() {
		return record{}, errNotRegular
	}
	if s.log, err = s.root.OpenFile(s.journal(), os.O_RDWR|noFollow, 0); err != nil {
		return record{}, err
	}
	text, err := io.ReadAll(io.LimitReader(s.log, maxJournal))
	return parseRecord(string(text)), err
}

// startJournal makes the empty journal, and its name and those of the staged files durable.
func (s *set) startJournal() (err error) {
	s.log, err = s.root.OpenFile(s.journal(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return syncFolder(s.folder)
}

// commit decides the set.
func (s *set) commit(r record) error {
	if _, err := s.log.Write(append(r.header(), decision...)); err != nil {
		return err
	}
	return s.log.Sync()
}

// removeJournal removes it, if there is one.
func (s *set) removeJournal() error {
	if s.log != nil {
		s.log.Close()
		s.log = nil
	}
	return s.remove(s.journal())
}
