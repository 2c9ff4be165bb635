package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/keys"
)

// knownServers is what was trusted on first use: the file known_servers in the
// config folder, a line an entry: host:port, then "tls" and the pin of the server's
// certificate, "key" and its NaCl public key, or "audit" and the public key of its audit log.
type knownServers struct {
	path  string
	lines []string
}

func (e *env) knownServers() (*knownServers, error) {
	dir, err := e.configDir()
	if err != nil {
		return nil, err
	}
	k := &knownServers{path: filepath.Join(dir, "known_servers")}
	return k, k.read()
}

func (k *knownServers) read() error {
	text, err := readTrusted(k.path)
	if text == nil || err != nil {
		return err
	}
	k.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return nil
}

// readTrusted reads a file that says whom to trust, nil where there is none. It refuses one that others
// could have written: whom to trust would be theirs to say.
func readTrusted(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = cmp.Or(secretfile.FolderExposed(path), secretfile.Exposed(path))
	}
	if err != nil {
		return nil, fault.New(kindOf(err), fault.HintOf(err), "cannot use what is trusted: %w", err)
	}
	return text, nil
}

// changeTrusted puts what build makes in the place of a file that says whom to trust.
func changeTrusted(ctx context.Context, path string, build func() ([]byte, error)) error {
	dir, name := filepath.Split(path)
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return fault.New(kindOf(err), "set KEYWARD_HOME to a folder that can be written", "cannot keep what is trusted: %w", err)
	}
	return durable.Change(ctx, durable.Set{Dir: dir, Name: name, Replace: true, Build: func() ([]durable.File, error) {
		text, err := build()
		return []durable.File{{Name: name, Data: text, Mode: 0o600}}, err
	}})
}

func (k *knownServers) get(host, what string) string {
	for _, line := range k.lines {
		if words := strings.Fields(line); len(words) == 3 && words[0] == host && words[1] == what {
			return words[2]
		}
	}
	return ""
}

// other is the host, not this one on another port, that has the value already; "" for none.
func (k *knownServers) other(host, what, value string) string {
	for _, line := range k.lines {
		words := strings.Fields(line)
		if len(words) == 3 && words[1] == what && words[2] == value && machine(words[0]) != machine(host) {
			return words[0]
		}
	}
	return ""
}

// vet chooses of the NaCl keys that a host tells the one to trust: that which was seen first. Where it is not among them, and
// where another host has the first of them, they are refused. It tells whether no key was seen there yet.
func (k *knownServers) vet(host string, told []keys.PublicKey) (key keys.PublicKey, fresh bool, err error) {
	first := k.get(host, "key")
	if first == "" {
		return told[0], true, k.vetOther(host, told[0])
	}
	for _, key := range told {
		if key.String() == first {
			return key, false, nil
		}
	}
	return key, false, fault.New(fault.NotTrusted,
		fmt.Sprintf("ask its administrator; if the change is meant, delete the line `%s key ...` from %s", host, k.path),
		"THE KEY OF %s HAS CHANGED: it was %s and is now %s", host, first, told[0])
}

// vetOther refuses a key that another host has.
func (k *knownServers) vetOther(host string, key keys.PublicKey) error {
	if other := k.other(host, "key", key.String()); other != "" {
		return fault.New(fault.NotTrusted,
			fmt.Sprintf("if they are one registry, use the name %s, or add the line `%s key %s` to %s", other, host, key, k.path),
			"%s shows the key of %s: it could pass a login on to it", host, other)
	}
	return nil
}

// machine is the host without its port, localhost for any loopback.
func machine(host string) string {
	name, _, _ := net.SplitHostPort(host)
	if net.ParseIP(name).IsLoopback() {
		return "localhost"
	}
	return name
}

// move puts another value in the place of the one that is known, if the file still has it.
func (k *knownServers) move(ctx context.Context, host, what, from, to string) error {
	return k.change(ctx, func() {
		for i, line := range k.lines {
			if slices.Equal(strings.Fields(line), []string{host, what, from}) {
				k.lines[i] = host + " " + what + " " + to
			}
		}
	})
}

// set adds a line to what the file holds by now.
func (k *knownServers) set(ctx context.Context, host, what, value string) error {
	return k.change(ctx, func() { k.lines = append(k.lines, host+" "+what+" "+value) })
}

// change edits the lines that the file holds by now, and writes them.
func (k *knownServers) change(ctx context.Context, edit func()) error {
	return changeTrusted(ctx, k.path, func() ([]byte, error) {
		if err := k.read(); err != nil {
			return nil, err
		}
		edit()
		return []byte(strings.Join(k.lines, "\n") + "\n"), nil
	})
}
