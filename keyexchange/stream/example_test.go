package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
	"keyward/keyexchange/stream"
)

// oneKey is the Keys of who has one, and knows of no other.
type oneKey [1]keyexchange.OpenKeys

func (k *oneKey) Known() []keyexchange.OpenKeys { return k[:] }
func (k *oneKey) Renew(context.Context) error   { return nil }

// A transport brings three messages, one of which somebody changed. With an exchange the Keys would be a stream.Fetched.
func ExampleStream_Run() {
	keys := keyexchange.GenerateSealKeys()
	var messages [][]byte
	for _, line := range []string{`{"error":"INTERFACE_DOWN","n":1}`, `{"n":2}`, `{"n":3}`} {
		packed, err := msgpack.FromJSON(nil, []byte(line), 0)
		if err != nil {
			fmt.Println(err)
			return
		}
		messages = append(messages, keyexchange.Seal(nil, packed, keys))
	}
	messages[1][100] ^= 1

	s := stream.Stream{
		Receive: func(context.Context) ([]byte, error) {
			if len(messages) == 0 {
				return nil, io.EOF
			}
			next := messages[0]
			messages = messages[1:]
			return next, nil
		},
		Out:  os.Stdout,
		Keys: &oneKey{keys.OpenKeys},
		Bad:  func(why error) { fmt.Println("bad:", why, errors.Is(why, keyexchange.ErrNotSigned)) },
	}
	lines, err := s.Run(context.Background())
	fmt.Println(lines, err)
	// Output:
	// {"error":"INTERFACE_DOWN","n":1}
	// bad: the message is not signed by this key true
	// {"n":3}
	// 2 <nil>
}
