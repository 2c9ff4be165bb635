package term

import (
	"io"
	"os"
	"testing"
)

func TestSequencesAreNoText(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"yes\r", "yes\r"},
		{"y\x1b[15~es", "yes"},
		{"\x1b[1;5Cy\x1b[Z", "y"},
		{"\x1bOPno\x1b[A", "no"},
		{"\x1b[200~pasted\x1b[201~\r", "pasted\r"},
		{"a\x1bxb", "ab"},
		{"\x1b", ""},
		{"p\xc3\xa4", "p\xc3\xa4"},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(tt.typed); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		got, err := io.ReadAll(&typing{File: r})
		if err != nil || string(got) != tt.want {
			t.Errorf("%q reads as %q, %v", tt.typed, got, err)
		}
		_ = r.Close()
	}
}
