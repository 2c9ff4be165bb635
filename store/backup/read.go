package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"keyward/fault"
	"keyward/store"
)

const damaged = "take another backup: this one is damaged or no backup"

// read reads a backup and gives its rows to each, until that wants no more.
func read(r io.Reader, each func(store.Row) bool) (Summary, error) {
	in := reader{from: bufio.NewReaderSize(r, 64<<10), hash: sha256.New()}
	s, err := in.all(each)
	if err == nil {
		return s, nil
	}
	if _, ok := errors.AsType[*fault.Error](err); !ok {
		return Summary{}, err // of the file system
	}
	hint := fault.HintOf(err)
	if hint == "" {
		hint = damaged
	}
	return Summary{}, fault.New(fault.KindOf(err), hint, "line %d: %w", in.number, err)
}

// reader reads lines and hashes them.
type reader struct {
	from   *bufio.Reader
	hash   hash.Hash
	line   []byte // that was read last
	number int64
}

func (in *reader) all(each func(store.Row) bool) (s Summary, err error) {
	if s.Header, err = in.header(); err != nil {
		return s, err
	}
	for {
		before := in.hash.Sum(nil)
		l, err := in.next()
		switch {
		case err != nil:
			return s, err
		case l.Header != nil:
			return s, invalid("a second header")
		case l.End != nil:
			s.SHA256 = hex.EncodeToString(before)
			return s, in.end(*l.End, s)
		case l.File != nil:
			err = s.addFile(*l.File)
		case len(s.Files) > 0:
			err = invalid("a row after the files")
		default:
			row := l.row()
			if err = s.Add(row); err == nil && !each(row) {
				return s, nil
			}
		}
		if err != nil {
			return s, err
		}
	}
}

func (s *Summary) addFile(l fileLine) error {
	f, err := l.file()
	if err != nil {
		return err
	}
	for _, other := range s.Files {
		if other.Name == f.Name {
			return invalid("the file %s is there twice", f.Name)
		}
	}
	if len(s.Files) == MaxFiles {
		return invalid("there are more than %d files", MaxFiles)
	}
	s.Files = append(s.Files, f)
	return nil
}

// end checks the last line against what came before it.
func (in *reader) end(said endLine, s Summary) error {
	if said != *newEnd(s) {
		return invalid("the counts or the SHA-256 at the end are not those of the file")
	}
	if _, err := in.from.ReadByte(); !errors.Is(err, io.EOF) {
		return invalid("there is something after the end")
	}
	return nil
}

// header reads the first line. That of a newer version may have what this one does not know.
func (in *reader) header() (Header, error) {
	text, err := in.text()
	if err != nil {
		return Header{}, err
	}
	if version := versionOf(text); version > Version {
		return Header{}, fault.New(fault.InvalidFile, "restore it with the newer keyward that wrote it",
			"its format has version %d, this keyward knows versions up to %d", version, Version)
	}
	l, err := parseLine(text)
	if err != nil || l.Header == nil || l.Header.Format != format || l.Header.Version < 1 {
		return Header{}, invalid("not the header of a backup")
	}
	return l.Header.header(), nil
}

func (in *reader) next() (line, error) {
	text, err := in.text()
	if err != nil {
		return line{}, err
	}
	return parseLine(text)
}

// text reads one line, and gives it without its newline. It is good until the next.
func (in *reader) text() ([]byte, error) {
	in.line = in.line[:0]
	for {
		part, err := in.from.ReadSlice('\n')
		in.line = append(in.line, part...)
		switch {
		case len(in.line) > MaxLine:
			in.number++
			return nil, invalid("a line is longer than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil, invalid("the file ends before its end line")
		case err != nil:
			return nil, err
		}
		in.number++
		in.hash.Write(in.line)
		return bytes.TrimSuffix(in.line, []byte{'\n'}), nil
	}
}
