package stream

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fixed are keys that are what they are.
type fixed []keyexchange.OpenKeys

func (f fixed) Known() []keyexchange.OpenKeys { return f }
func (f fixed) Renew(context.Context) error   { return nil }

// sealed is a message that holds a line of JSON.
func sealed(t testing.TB, keys *keyexchange.SealKeys, line string) []byte {
	t.Helper()
	packed, err := msgpack.FromJSON(nil, []byte(line), 0)
	check(t, err)
	return keyexchange.Seal(nil, packed, keys)
}

// from gives these messages, then io.EOF.
func from(messages ...[]byte) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		if len(messages) == 0 {
			return nil, io.EOF
		}
		m := messages[0]
		messages = messages[1:]
		return m, nil
	}
}

func TestRun(t *testing.T) {
	keys := keyexchange.GenerateSealKeys()
	var messages [][]byte
	var want strings.Builder
	for i := range 3000 {
		line := fmt.Sprintf(`{"n":%d}`, i)
		messages = append(messages, sealed(t, keys, line))
		want.WriteString(line + "\n")
	}
	var out bytes.Buffer
	s := Stream{Receive: from(messages...), Out: &out, Keys: fixed{keys.OpenKeys}}
	lines, err := s.Run(t.Context())
	check(t, err)
	if lines != 3000 || out.String() != want.String() {
		t.Errorf("%d lines, %d bytes of %d", lines, out.Len(), want.Len())
	}
}

// kibibyte is a message of 1 KiB, sealed.
func kibibyte(t testing.TB, keys *keyexchange.SealKeys) []byte {
	t.Helper()
	text := func(n int) string {
		b := make([]byte, n)
		rand.Read(b)
		return fmt.Sprintf("%x", b)
	}
	line := fmt.Sprintf(`{"error":"BGP_PREFIX_THRESH_EXCEEDED","host":"vmx01","ip":"172.17.17.1","timestamp":1490000000,"facility":18,"severity":4,"os":"junos","state":null,`+
		`"message_details":{"date":"Mar 20","time":"10:12:13","pri":149,"message":%q},"yang_model":"openconfig-bgp","yang_message":{"bgp":{"neighbors":[{"neighbor":%q}]}}}`, text(290), text(40))
	m := sealed(t, keys, line)
	if len(m) < 1000 || len(m) > 1050 {
		t.Fatal(len(m))
	}
	return m
}

// stuck takes nothing until it is freed.
type stuck chan struct{}

func (s stuck) Write(b []byte) (int, error) {
	<-s
	return len(b), nil
}

// Where nobody takes what is written a Run ends nevertheless, a second after it was to.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer time.AfterFunc(time.Minute, stop).Stop()
		out := make(stuck)
		defer close(out)
		start := time.Now()
		message := []byte("\x80")
		s := Stream{Out: out, Receive: func(ctx context.Context) ([]byte, error) {
			time.Sleep(time.Second)
			return message, ctx.Err()
		}}
		lines, err := s.Run(ctx)
		if !errors.Is(err, ErrStuck) || lines != 0 || time.Since(start) > time.Minute+2*time.Second {
			t.Errorf("after %v: %d lines, %v", time.Since(start), lines, err)
		}
	})
}
