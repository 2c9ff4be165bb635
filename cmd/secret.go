package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/secretfile"
)

// maxLine is the longest line in bytes that a password or token may take in a file or on stdin.
const maxLine = 64 << 10

// ownPassword asks for the caller's password, where there is one registry.
const ownPassword = "Enter your password:"

// password is the caller's: the first line of --password-file ("-" is stdin), which is read once, else VOV_PASSWORD, else asked for.
func (e *env) password(c *cli.Context, prompt string) (string, error) {
	if file := c.String("password-file"); file != "" {
		password, err := e.passwordOf("password-file", file)
		return string(password), err
	}
	if password := e.getenv("VOV_PASSWORD"); password != "" {
		return password, nil
	}
	terminal := e.terminal()
	if terminal == nil {
		return "", fault.New(fault.Usage, "set VOV_PASSWORD or give --password-file (- is stdin)",
			"a password is needed, and there is no terminal to ask at")
	}
	return terminal.Password(prompt)
}

// newPassword is the one to set: the first line of file, else asked for twice. flag names the file's.
func (e *env) newPassword(file, flag, whose string) (string, error) {
	if file != "" {
		return e.secretLine(file, flag)
	}
	if e.terminal() == nil {
		return "", fault.New(fault.Usage, "give "+flag+" (- is stdin)",
			"a new password is needed for %s, and there is no terminal to ask at", whose)
	}
	return e.askTwice(fmt.Sprintf("New password for %s:", whose))
}

// unlock gives the password of an encrypted private key or of PKCS#12: the first line of the file that the
// flag names, which is read once, else the person's at the terminal.
func (e *env) unlock(c *cli.Context, flag string) certs.Unlock {
	return func(file string) ([]byte, error) {
		e.asking.Lock() // verify-cert reads several files at a time
		defer e.asking.Unlock()
		if from := c.String(flag); from != "" {
			return e.passwordOf(flag, from)
		}
		terminal := e.terminal()
		if terminal == nil {
			return nil, fault.New(fault.Usage, "give --"+flag+" (- is stdin)", "%w, nor a terminal to ask at", certs.ErrLocked)
		}
		password, err := terminal.Password("Password of " + printable(file) + ":")
		return []byte(password), err
	}
}

func (e *env) passwordOf(flag, file string) ([]byte, error) {
	if password, known := e.passwords[flag]; known {
		return password, nil
	}
	line, err := e.secretLine(file, "--"+flag)
	if err != nil {
		return nil, err
	}
	if e.passwords == nil {
		e.passwords = map[string][]byte{}
	}
	e.passwords[flag] = []byte(line)
	return e.passwords[flag], nil
}

// keyPassword is what a new private key is encrypted with; nil where it is to be plain.
func (e *env) keyPassword(c *cli.Context, file string) ([]byte, error) {
	if c.String("key-password-file") == "" && !c.Bool("encrypt-key") {
		return nil, nil
	}
	password, err := e.newPassword(c.String("key-password-file"), "--key-password-file", printable(file))
	if err == nil && password == "" {
		err = fault.New(fault.Usage, "type one, or leave out --encrypt-key", "an empty password encrypts nothing")
	}
	return []byte(password), err
}

// warnOfPlain tells that an encrypted key makes room for one that is not. It is called before that happens.
func (e *env) warnOfPlain(keyFile string, password []byte) {
	if len(password) == 0 && certs.KeyIsEncrypted(keyFile) {
		e.note("warning: %s is encrypted, and the key that replaces it is not (give --key-password-file or --encrypt-key)", printable(keyFile))
	}
}

// askTwice asks for a password to set; an empty one is not asked for again.
func (e *env) askTwice(prompt string) (string, error) {
	first, err := e.terminal().Password(prompt)
	if err != nil || first == "" {
		return "", err
	}
	again, err := e.terminal().Password("And again:")
	if err == nil && first != again {
		err = fault.New(fault.Usage, "type the same password twice", "the two passwords differ; nothing was changed")
	}
	return first, err
}

// secretLine reads the first line of a file, or the next one of stdin for "-".
func (e *env) secretLine(file, flag string) (string, error) {
	if file == "-" {
		return e.stdinLine(flag)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fault.New(kindOf(err), "check the file that "+flag+" names", "cannot read a password: %w", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if exposed := secretfile.Exposed(file); exposed != nil {
			e.note("warning: %v (%s)", exposed, fault.HintOf(exposed))
		}
	}
	return firstLine(bufio.NewReader(io.LimitReader(f, maxLine+1)), file)
}

// stdinLine reads one line; a second secret from stdin is its next line.
func (e *env) stdinLine(flag string) (string, error) {
	if e.lines == nil {
		e.lines = bufio.NewReader(io.LimitReader(e.stdin, 4*maxLine))
	}
	return firstLine(e.lines, "stdin, for "+flag)
}

func firstLine(r *bufio.Reader, where string) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fault.New(fault.Failed, "", "cannot read %s: %w", where, err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		hint := "put the secret on the first line"
		if strings.HasPrefix(where, "stdin") {
			hint += "; is the variable that it comes from set?"
		}
		return "", fault.New(fault.InvalidFile, hint, "there is nothing on the first line of %s", where)
	}
	if !utf8.ValidString(line) {
		return "", fault.New(fault.InvalidFile, "write the file as UTF-8", "the first line of %s is not UTF-8, as JSON and forms have it", where)
	}
	if len(line) > maxLine {
		return "", fault.New(fault.InvalidFile, "put the secret on the first line", "the first line of %s is longer than %d bytes", where, maxLine)
	}
	return line, nil
}
