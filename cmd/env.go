package cmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"keyward/fault"
	"keyward/internal/term"
)

// env is what a command has of the world around it.
type env struct {
	version string
	stdin   *os.File
	stdout  io.Writer
	stderr  *os.File
	getenv  func(string) string
	now     func() time.Time

	name    string // what it was called as
	script  bool   // as one of the Micronets scripts
	call    *call  // what the arguments ask for
	running bool   // the arguments were parsed, and the action runs
	json    bool   // errors and data as JSON
	quiet   bool   // no notes

	pinFiles map[string]string // the files that pins came from, by the pin; flags are none
	lines    *bufio.Reader     // of stdin, once a line of it was read
	asks     *term.Terminal    // once something was asked
	asking   sync.Mutex        // held while a password is found

	passwords map[string][]byte // of the files that flags name, by the flag, once read
}

// dated is the time that what is made now bears: SOURCE_DATE_EPOCH, for output that can be made again, else now.
func (e *env) dated() time.Time {
	seconds, err := strconv.ParseInt(e.getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return e.now()
	}
	return time.Unix(seconds, 0)
}

// terminal is where the person is; nil where there is none to ask, or a CI job runs.
func (e *env) terminal() *term.Terminal {
	if e.asks == nil && e.getenv("CI") == "" {
		e.asks = term.Open(e.stdin, e.stderr)
	}
	return e.asks
}

// note tells people something that is neither data nor an error. With --json only
// programs read.
func (e *env) note(format string, args ...any) {
	if !e.quiet && !e.json {
		_, _ = fmt.Fprintf(e.stderr, format+"\n", args...)
	}
}

// print writes data: v as indented JSON with --json, else the text.
func (e *env) print(v any, text string) error {
	if e.json {
		data, err := plainJSON(v, "")
		if err != nil {
			return err
		}
		text = string(data) + "\n"
	}
	_, err := io.WriteString(e.stdout, text)
	return err
}

// plainJSON is v as indented JSON in which no character moves a terminal's cursor. < > & stay as they are: no browser reads it, and
// a > is a word of the bus.
func plainJSON(v any, prefix string) ([]byte, error) {
	var data bytes.Buffer
	out := json.NewEncoder(&data)
	out.SetEscapeHTML(false)
	out.SetIndent(prefix, "  ")
	err := out.Encode(v)
	return plain(bytes.TrimSuffix(data.Bytes(), []byte("\n"))), err
}

// plain writes what moves a terminal's cursor in a JSON text as \u and its hex digits.
func plain(data []byte) []byte {
	var plain []byte
	for _, r := range string(data) {
		if r == '\n' || unicode.IsPrint(r) {
			plain = utf8.AppendRune(plain, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			plain = fmt.Appendf(plain, "\\u%04x", unit)
		}
	}
	return plain
}

// printable replaces what would move a terminal's cursor in a text that a server sent.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// home is the user's home folder.
func (e *env) home() (string, error) {
	name := "HOME"
	if runtime.GOOS == "windows" {
		name = "USERPROFILE"
	}
	if home := e.getenv(name); home != "" {
		return home, nil
	}
	return "", fault.New(fault.Usage, "set "+name+" or KEYWARD_HOME, or name the place with a flag", "there is no home folder: %s is not set", name)
}

// place is a folder of keyward's under KEYWARD_HOME, else under the XDG variable, else under the home folder.
func (e *env) place(xdg, under string) (string, error) {
	if dir := e.getenv("KEYWARD_HOME"); dir != "" {
		return dir, nil
	}
	if dir := e.getenv(xdg); filepath.IsAbs(dir) {
		return filepath.Join(dir, "keyward"), nil
	}
	home, err := e.home()
	return filepath.Join(home, under, "keyward"), err
}

func (e *env) configDir() (string, error) { return e.place("XDG_CONFIG_HOME", ".config") }

func (e *env) dataDir() (string, error) {
	dir, err := e.place("XDG_DATA_HOME", filepath.Join(".local", "share"))
	return filepath.Join(dir, "registry"), err
}
