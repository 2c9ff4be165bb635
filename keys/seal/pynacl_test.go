package seal

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const python = "/usr/bin/python3" // Debian's, which has python3-nacl

func needPyNaCl(t *testing.T) {
	t.Helper()
	if err := exec.Command(python, "-c", "import nacl").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has to install python3-nacl: ", err)
		}
		t.Skip("python3-nacl is not installed: ", err)
	}
}

// script takes the reader out of the document, so that it is the one that people read.
func script(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/sealed-files.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```python\n")
	code, _, ends := strings.Cut(rest, "```\n")
	if !found || !ends {
		t.Fatal("the document has no script")
	}
	path := filepath.Join(t.TempDir(), "open.py")
	if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, stdin []byte, args ...string) ([]byte, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), python, args...)
	c.Stdin = bytes.NewReader(stdin)
	out, err := c.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Logf("%s", lastLine(exit.Stderr))
	}
	return out, err
}

func lastLine(text []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return lines[len(lines)-1]
}

func TestPyNaClOpens(t *testing.T) {
	needPyNaCl(t)
	open := script(t)
	alice, bob, second := generate(t), generate(t), generate(t)
	for _, size := range sizes {
		whole := sealed(t, text(size), alice, second.Public, bob.Public)
		got, err := run(t, whole, open, bob.Private.Encode(), alice.Public.String())
		if err != nil || !bytes.Equal(got, text(size)) {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
	}
	whole := sealed(t, text(2*chunkSize), alice, bob.Public)
	if _, err := run(t, whole, open, bob.Private.Encode(), second.Public.String()); err == nil {
		t.Error("it opens for another sender")
	}
	if _, err := run(t, whole, open, second.Private.Encode(), alice.Public.String()); err == nil {
		t.Error("it opens for another recipient")
	}
	for what, file := range map[string][]byte{
		"cut off at a chunk": whole[:len(whole)-sealedSize],
		"cut off":            whole[:len(whole)-1],
		"longer":             append(whole[:len(whole):len(whole)], 0),
		"of another name":    bytes.Replace(whole, []byte("from alice"), []byte("from malice"), 1),
	} {
		if _, err := run(t, file, open, bob.Private.Encode(), alice.Public.String()); err == nil {
			t.Errorf("%s: the script opens it", what)
		}
	}
}

func TestPyNaClSeals(t *testing.T) {
	needPyNaCl(t)
	alice, bob, second := generate(t), generate(t), generate(t)
	for _, size := range sizes {
		whole, err := run(t, text(size), "testdata/seal.py", "alice", alice.Private.Encode(), "bob", second.Public.String(), bob.Public.String())
		if err != nil {
			t.Fatal(err)
		}
		r := reader(t, whole, bob)
		got, err := opened(whole, bob)
		if err != nil || !bytes.Equal(got, text(size)) || r.FromKey != alice.Public {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
	}
}
