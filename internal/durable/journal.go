package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// record is what a journal says of one set: its name and its files' names, how they are placed, and
// whether that is decided. Its text is a line "create" or "replace" with the set's name as a Go string,
// and each file's name on a line of its own. A journal is one such text or more, and
// "place" in the end when they are decided.
type record struct {
	set     string
	replace bool
	names   []string
	decided bool
	alone   bool // the journal says nothing of other sets
}

// journal is one file with a name for each of its sets.
type journal struct {
	file *os.File
	name string // that of the first set
	sets []*set
	size int // of the text up to the decision
}

// maxJournal bounds a journal in bytes; ours are a few thousand.
const maxJournal = 1 << 20

// journaled tells whether the set needs a journal at all: one file does not.
func (r record) journaled() bool { return len(r.names) > 1 }

// header is the text up to the decision.
func (r record) header() []byte {
	verb := "create"
	if r.replace {
		verb = "replace"
	}
	text := fmt.Appendf(nil, "%s %q\n", verb, r.set)
	for _, n := range r.names {
		text = fmt.Appendf(text, "%q\n", n)
	}
	return text
}

const decision = "place\n"

// parseRecord reads what a journal says of a set. One that was torn was never synced, so nothing hung on
// it yet: it reads as the empty record, which decides nothing.
func parseRecord(set, text string) record {
	text, decided := strings.CutSuffix(text, decision)
	text, whole := strings.CutSuffix(text, "\n")
	if !whole {
		return record{}
	}
	var all []record
	for l := range strings.SplitSeq(text, "\n") {
		verb, quoted, head := strings.Cut(l, " ")
		head = head && (verb == "create" || verb == "replace")
		if !head {
			quoted = l
		}
		name, err := strconv.Unquote(quoted)
		switch {
		case err != nil || !head && len(all) == 0:
			return record{}
		case head:
			all = append(all, record{set: name, replace: verb == "replace", decided: decided})
		default:
			last := &all[len(all)-1]
			last.names = append(last.names, name)
		}
	}
	for _, r := range all {
		if r.set == set && checkNames(set, r.names) == nil {
			r.alone = len(all) == 1
			return r
		}
	}
	return record{}
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
	f, err := s.root.OpenFile(s.journal(), os.O_RDONLY|noFollow, 0)
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxJournal))
	return parseRecord(s.name, string(text)), err
}

// startJournal gives the folder's journal the set's name, or makes an empty one. Its
// name lasts once the folder is synced.
func (s *set) startJournal() error {
	if s.folder.log != nil && s.root.Link(s.folder.log.name, s.journal()) == nil {
		return nil
	}
	f, err := s.root.OpenFile(s.journal(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		s.folder.log = &journal{file: f, name: s.journal()}
	}
	return err
}

// commit decides those of its sets that nothing is against.
func (j *journal) commit() error {
	defer j.file.Close()
	var text []byte
	for _, s := range j.sets {
		if s.err == nil {
			text = append(text, s.record.header()...)
		}
	}
	if j.size = len(text); j.size == 0 {
		return nil
	}
	text = append(text, decision...)
	if len(text) > maxJournal {
		return errors.New("the names of the files are too long")
	}
	if _, err := j.file.Write(text); err != nil {
		return err
	}
	return j.file.Sync()
}

// cut takes the decision back when the sets are in place. One that is left for the next run needs it.
func (j *journal) cut() {
	if slices.ContainsFunc(j.sets, func(s *set) bool { return s.keep }) {
		return
	}
	if i := slices.IndexFunc(j.sets, func(s *set) bool { return s.err == nil }); i >= 0 {
		j.sets[i].cut(j.size)
	}
}

// cut cuts the journal after so many bytes. Without it the next run would place the set
// again, which comes to the same unless others have changed the files in between.
func (s *set) cut(size int) {
	f, err := s.root.OpenFile(s.journal(), os.O_WRONLY|noFollow, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_ = f.Truncate(int64(size))
}
