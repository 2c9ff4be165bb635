package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"keyward/fault"
	"keyward/keyexchange"
	"keyward/keyexchange/stream"
	"keyward/keyexchange/transport"
)

// tellBad is how often bad messages are told of, after the first of each kind.
const tellBad = 5 * time.Second

// badKinds are why messages are bad.
var badKinds = []struct {
	why         error
	code, words string
}{
	{keyexchange.ErrNotSigned, "not_signed", "not signed by a known key"},
	{keyexchange.ErrShort, "short", "too short"},
	{keyexchange.ErrLong, "long", "too long"},
	{keyexchange.ErrDamaged, "damaged", "damaged"},
	{stream.ErrReplayed, "replayed", "replayed"},
	{stream.ErrNoMap, "no_map", "no map in MessagePack"},
	{transport.ErrBad, "unfit", "too long, or of several frames"},
}

// tally counts bad messages, and tells of them: the first of each kind at once, then how many they are, every few seconds.
type tally struct {
	*env
	mu     sync.Mutex
	bare   bool  // the messages are taken for such as are not sealed
	counts []int // by kind
	sum    int
	told   int
}

func newTally(e *env, bare bool) *tally {
	return &tally{env: e, bare: bare, counts: make([]int, len(badKinds))}
}

// bad counts a message.
func (t *tally) bad(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum++
	for i, kind := range badKinds {
		if !errors.Is(why, kind.why) {
			continue
		}
		if t.counts[i]++; t.counts[i] == 1 {
			t.told++
			t.tell(kind.code, 1, fmt.Sprintf("a bad message is left out: %v", why))
			if t.bare && errors.Is(kind.why, stream.ErrNoMap) {
				t.note("  hint: if all are so, they are sealed: leave out --no-security")
			}
		}
		return
	}
}

// repeat tells of those that came since, until ctx ends.
func (t *tally) repeat(ctx context.Context) {
	ticker := time.NewTicker(tellBad)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			t.tellAll()
		}
	}
}

func (t *tally) tellAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sum == t.told {
		return
	}
	t.told = t.sum
	if !t.json {
		t.tell("", 0, fmt.Sprintf("%s so far: %s", counted(int64(t.sum), "bad message"), t.words()))
		return
	}
	for i, kind := range badKinds {
		if t.counts[i] > 0 {
			t.tell(kind.code, t.counts[i], "")
		}
	}
}

// words are the counts for people.
func (t *tally) words() string {
	var words []string
	for i, kind := range badKinds {
		if t.counts[i] > 0 {
			words = append(words, fmt.Sprintf("%d %s", t.counts[i], kind.words))
		}
	}
	return strings.Join(words, ", ")
}

// tell writes a warning, for programs how many there are of a kind so far.
func (t *tally) tell(code string, count int, text string) {
	if !t.json {
		t.note("warning: %s", printable(text))
		return
	}
	type bad struct {
		Code  string `json:"code"`
		Count int    `json:"count"`
	}
	_ = json.NewEncoder(t.stderr).Encode(struct {
		Bad bad `json:"bad"`
	}{bad{code, count}})
}

// end is what a run comes to that wrote so many lines.
func (t *tally) end(lines int64, err error, asked bool) error {
	t.tellAll()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.InvalidFile, "see whether its writer ended early", "stdin ends within a message; %s read before, and %s bad", were(lines, "message"), were(int64(t.sum), ""))
	case err != nil:
		return fault.New(kindOf(err), fault.HintOf(err), "%w; %s read, and %s bad", err, were(lines, "message"), were(int64(t.sum), ""))
	case asked || t.sum == 0:
		t.note("%s read, and %s bad", were(lines, "message"), were(int64(t.sum), ""))
		return nil
	}
	return fault.New(fault.InvalidFile, "see the warnings above", "%d of %s bad: %s", t.sum, were(lines+int64(t.sum), "message"), t.words())
}

// counted is how many of a thing there are: "1 message", "2 messages"; of "" it is the number alone.
func counted(n int64, thing string) string {
	switch {
	case thing == "":
		return fmt.Sprint(n)
	case n == 1:
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// were is counted with its verb: "1 message was", "2 were".
func were(n int64, thing string) string {
	if n == 1 {
		return counted(n, thing) + " was"
	}
	return counted(n, thing) + " were"
}
