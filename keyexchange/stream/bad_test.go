package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"keyward/keyexchange"
)

// kindOf is the error that a bad message is of.
func kindOf(t *testing.T, err error) string {
	t.Helper()
	for _, kind := range []error{keyexchange.ErrNotSigned, keyexchange.ErrShort, keyexchange.ErrLong, keyexchange.ErrDamaged, ErrReplayed, ErrNoMap, errSpoiled} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	t.Errorf("%v is of no kind", err)
	return ""
}

var errSpoiled = errors.New("spoiled")

// TestBad puts every bad message between two good ones. The good come out in order, the bad are told in order.
func TestBad(t *testing.T) {
	others := keyexchange.GenerateSealKeys()
	keys, mixed := keyexchange.NewSealKeys(keyexchange.BoxKey{1}, keyexchange.Seed{2}), keyexchange.NewSealKeys(keyexchange.BoxKey{3}, keyexchange.Seed{2})
	line := `{"error":"INTERFACE_DOWN","host":"vmx01","message_details":{"pri":"28","tag":"mib2d"}}`
	good := sealed(t, keys, line)
	if len(good) < 128 {
		t.Fatal(len(good))
	}
	var bad [][]byte
	var want []string
	add := func(why error, message []byte) { bad, want = append(bad, message), append(want, why.Error()) }
	for i := range 128 {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1 << (i % 8)
		add(keyexchange.ErrNotSigned, flipped)
	}
	for i := range good {
		why := keyexchange.ErrNotSigned
		if i < keyexchange.Overhead {
			why = keyexchange.ErrShort
		}
		add(why, good[:i])
	}
	add(keyexchange.ErrNotSigned, sealed(t, others, `{"n":1}`))
	add(keyexchange.ErrNotSigned, append(bytes.Clone(good), 0))
	add(keyexchange.ErrLong, sealed(t, keys, `{"n":"`+strings.Repeat("x", 2000)+`"}`))
	add(keyexchange.ErrDamaged, sealed(t, mixed, `{"n":1}`))
	for _, bomb := range bombs {
		add(ErrNoMap, keyexchange.Seal(nil, bomb, keys))
	}
	add(ErrReplayed, good)
	for _, text := range []string{"", "\xc0", "\x81\xa1n", "\x81\xa1n\x01\x00", "\x93\x01\x02\x03", "\x82\xa1n\x01\xa1n\x02"} {
		add(ErrNoMap, keyexchange.Seal(nil, []byte(text), keys))
	}

	synctest.Test(t, func(t *testing.T) {
		messages := [][]byte{good} // so that it is there before
		lines := []string{line + "\n"}
		for i, m := range bad {
			line := fmt.Sprintf(`{"n":%d}`, i)
			messages = append(messages, m, sealed(t, keys, line))
			lines = append(lines, line+"\n")
		}
		var told []string
		var out bytes.Buffer
		s := Stream{
			Receive: from(messages...), Out: &out, Keys: fixed{keys.OpenKeys}, MaxMessage: 1500,
			Bad: func(err error) { told = append(told, kindOf(t, err)) },
		}
		count, err := s.Run(t.Context())
		check(t, err)
		if d := cmp.Diff(strings.Join(lines, ""), out.String()); d != "" || int(count) != len(lines) {
			t.Errorf("%d lines: %s", count, d)
		}
		if d := cmp.Diff(want, told); d != "" {
			t.Error(d)
		}
	})
}

// TestFewBad has long rows of good messages, of two publishers with keys of their own, in which few are bad. So batches are
// verified together with either key, some of them in vain.
func TestFewBad(t *testing.T) {
	one, two := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	var messages [][]byte
	var lines strings.Builder
	var want []string
	for i := range 3000 {
		line := fmt.Sprintf(`{"n":%d}`, i)
		keys := one
		if i/300%2 == 1 || i%397 == 0 {
			keys = two
		}
		m := sealed(t, keys, line)
		switch {
		case i%211 == 0:
			m[i%len(m)] ^= 1
			want = append(want, keyexchange.ErrNotSigned.Error())
		case i%499 == 0:
			m = nil
			want = append(want, errSpoiled.Error())
		default:
			lines.WriteString(line + "\n")
		}
		messages = append(messages, m)
	}
	next := from(messages...)
	receive := func(ctx context.Context) ([]byte, error) {
		m, err := next(ctx)
		if m == nil && err == nil {
			err = errSpoiled
		}
		return m, err
	}
	synctest.Test(t, func(t *testing.T) {
		var told []string
		var out bytes.Buffer
		s := Stream{
			Receive: receive, Spoiled: errSpoiled, Out: &out, Keys: fixed{two.OpenKeys, one.OpenKeys},
			Bad: func(err error) { told = append(told, kindOf(t, err)) },
		}
		count, err := s.Run(t.Context())
		check(t, err)
		if int(count) != len(messages)-len(want) || out.String() != lines.String() {
			t.Errorf("%d lines, %d are bad", count, len(told))
		}
		if d := cmp.Diff(want, told); d != "" {
			t.Error(d)
		}
	})
}

// bombs announce more than they have.
var bombs = [][]byte{
	[]byte("\x81\xa1n\xdd\xff\xff\xff\xff"),
	[]byte("\xdf\xff\xff\xff\xff"),
	[]byte("\x81\xa1n\xdb\xff\xff\xff\xff"),
	[]byte("\x81\xa1n\xc6\xff\xff\xff\xff"),
	[]byte("\x81\xa1n\xc9\xff\xff\xff\xff\x05"),
	append([]byte("\x81\xa1n"), bytes.Repeat([]byte{0x91}, 1000)...),
	append([]byte("\x81\xa1n"), bytes.Repeat([]byte("\x81\xa1n"), 400)...),
	[]byte("\x81\xa1n\xdc\xff\xff\xc0"),
}
