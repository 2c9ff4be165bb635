package keyexchange

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzWords holds that it does not matter how the words of a client are cut.
func FuzzWords(f *testing.F) {
	f.Add("INITACKACKKEEPALIVEKEEPALIVE")
	f.Add("INIT")
	f.Add("INITACKKEEPALIVE")
	f.Add("INITACKACKKEEPALIVEACK")
	f.Add("GET / HTTP/1.1")
	f.Add("")
	f.Fuzz(func(t *testing.T, said string) {
		want := reference(said)
		for _, in := range []io.Reader{
			strings.NewReader(said), iotest.OneByteReader(strings.NewReader(said)), iotest.HalfReader(strings.NewReader(said)), iotest.DataErrReader(strings.NewReader(said)),
		} {
			w := words{in: in}
			var err error
			for _, word := range conversation() {
				if err == nil {
					err = w.expect(word)
				}
			}
			if err != want {
				t.Errorf("%q: %v, want %v", said, err, want)
			}
		}
	})
}

func conversation() []string { return []string{wordInit, wordAck, wordAck, wordKeepAlive} }

// reference is what becomes of a client that says that and then closes.
func reference(said string) error {
	whole := strings.Join(conversation(), "")
	switch {
	case strings.HasPrefix(said, whole):
		return nil
	case strings.HasPrefix(whole, said):
		return io.EOF
	}
	return errWord
}
