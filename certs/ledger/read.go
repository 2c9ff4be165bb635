package ledger

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"

	"keyward/fault"
)

// wave is how many lines are checked side by side, and held at a time.
const wave = 1024

// Entries gives the lines of a ledger in their order, checked: each is signed by the CA's key, has the
// next number and follows from the line before. The first line that does not hold ends it, with a *Fault
// that is fault.InvalidFile. With a nil ca no signatures are checked, and the first line is believed. A last
// line without its newline is not given: it is one that was never finished.
//
// Lines are read and checked 1,024 at a time or 4 MiB, on all cores; no more are held.
func Entries(r io.Reader, ca *x509.Certificate) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		c := &checker{ca: ca}
		for line, err := range c.lines(r) {
			if !yield(line.Entry, err) || err != nil {
				return
			}
		}
	}
}

// Fault says which line of a ledger does not hold.
type Fault struct {
	Line int64  // from 1
	What string // what is wrong with it
}

func (f *Fault) Error() string { return fmt.Sprintf("line %d: %s", f.Line, f.What) }

// checker goes through a ledger.
type checker struct {
	ca   *x509.Certificate // nil where signatures are not checked
	head Head              // of what was checked
	size int64             // of the whole lines that were read
	torn bool              // something without a newline follows
}

// checked is a line with what was found about it alone.
type checked struct {
	line
	err    error
	signed bool
}

func (c *checker) lines(r io.Reader) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		if c.ca != nil && c.head.Seq == 0 {
			c.head = start(c.ca)
		}
		in := bufio.NewReaderSize(r, 64<<10)
		var ahead []checked // the line after a wave says what is wrong with the wave's last one
		for {
			texts, end := c.read(in, wave)
			now := slices.Concat(ahead, c.check(texts))
			usable := len(now)
			if end == nil {
				usable--
			}
			for i, l := range now[:usable] {
				err := c.follow(l, now[i+1:])
				if !yield(l.line, err) || err != nil {
					return
				}
			}
			if end != nil {
				if !errors.Is(end, io.EOF) {
					yield(line{}, fault.New(fault.Failed, "", "read the ledger: %w", end))
				}
				return
			}
			ahead = now[usable:]
		}
	}
}

// read gives the next n lines; fewer where they are long, or there are no more.
func (c *checker) read(in *bufio.Reader, n int) (texts [][]byte, err error) {
	for before := c.size; len(texts) < n && c.size-before < maxLine; {
		text, err := readLine(in)
		if errors.Is(err, io.EOF) && len(text) > 0 {
			c.torn = true
		}
		if err != nil {
			return texts, err
		}
		c.size += int64(len(text))
		texts = append(texts, text)
	}
	return texts, nil
}

// readLine reads a line of at most maxLine bytes; of a longer one its beginning, which does not parse.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(text) <= maxLine {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
	}
}

// check looks at each line by itself, on all cores.
func (c *checker) check(texts [][]byte) []checked {
	all := make([]checked, len(texts))
	cores := runtime.GOMAXPROCS(0)
	var work sync.WaitGroup
	for core := range cores {
		work.Go(func() {
			for i := core; i < len(texts); i += cores {
				l, err := parse(texts[i])
				all[i] = checked{l, err, err == nil && (c.ca == nil || l.signedBy(c.ca))}
			}
		})
	}
	work.Wait()
	return all
}

// follow holds a line against the one before it; after are those that come next, which tell one damage from another.
func (c *checker) follow(l checked, after []checked) error {
	if c.ca == nil && c.head.Seq == 0 && l.err == nil && l.Seq == 1 {
		c.head.Sum = sumOf(l.Prev)
	}
	what := c.fault(l, after)
	if what == "" {
		c.head = Head{l.Seq, l.sum}
		return nil
	}
	return fault.New(fault.InvalidFile, "restore the ledger from a copy; docs/ledger.md says what else can be done",
		"the ledger is damaged: %w", &Fault{c.head.Seq + 1, what})
}

func (c *checker) fault(l checked, after []checked) string {
	want := c.head.Seq + 1
	follows := l.Seq == want && l.Prev == c.head.Sum.String()
	switch sound := l.err == nil && l.signed; {
	case sound && follows:
		return ""
	case !sound && len(after) > 0 && after[0].signed && after[0].Seq == want && after[0].Prev == c.head.Sum.String():
		return "it was inserted: the CA did not sign it, and the next line follows the one before"
	case l.err != nil:
		return "it was changed: " + l.err.Error()
	case !l.signed && want == 1 && l.Seq == 1 && l.Prev != c.head.Sum.String():
		return "it begins the ledger of another CA: the key is not that of this certificate"
	case !l.signed:
		return "it was changed: the CA's key did not sign it"
	case l.Seq > want && len(after) > 0 && after[0].signed && after[0].Seq == want:
		return fmt.Sprintf("it was swapped: line %d stands here, and line %d behind it", l.Seq, want)
	case l.Seq == want+1:
		return fmt.Sprintf("it is missing: line %d follows line %d", l.Seq, want-1)
	case l.Seq > want:
		return fmt.Sprintf("lines %d to %d are missing", want, l.Seq-1)
	case l.Seq < want:
		return fmt.Sprintf("it was inserted: it is line %d once more", l.Seq)
	}
	return "it follows another line than the one before: the ledger was put together from two"
}
