package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"keyward/fault"
	"keyward/keys"
	"keyward/store"
)

// knownKeys is which keys of other users were shown by a registry and trusted: the file known_keys in the
// config folder, a line a key: host:port, user, key string. A user whose last key went has a line with a - for
// it: without one the next key would pass for the first.
type knownKeys struct {
	path  string
	lines []string
}

const noneLeft = "-"

func (e *env) knownKeys() (*knownKeys, error) {
	dir, err := e.configDir()
	if err != nil {
		return nil, err
	}
	k := &knownKeys{path: filepath.Join(dir, "known_keys")}
	return k, k.read()
}

func (k *knownKeys) read() error {
	text, err := readTrusted(k.path)
	if err != nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
		if err := checkKnown(line); err != nil {
			return fault.New(fault.InvalidFile, "mend the line, or remove the file, and compare each user's fingerprints anew",
				"cannot use what is trusted: %s: line %d: %w", k.path, len(lines), err)
		}
	}
	k.lines = lines
	return nil
}

// checkKnown refuses a damaged line: without it the next key of its user would pass for the first.
func checkKnown(line string) error {
	words := strings.Fields(line)
	if len(words) != 3 {
		return errors.New("not a host, a user and a key")
	}
	if words[2] == noneLeft {
		return nil
	}
	_, err := keys.ParsePublic(words[2])
	return err
}

// whose says whether a line is about the user's keys at the host.
func whose(line, host, user string) bool {
	words := strings.Fields(line)
	return words[0] == host && words[1] == user
}

// of are the user's pinned keys. A user may be known without any.
func (k *knownKeys) of(host, user string) (pinned []keys.PublicKey, known bool) {
	for _, line := range k.lines {
		if !whose(line, host, user) {
			continue
		}
		known = true
		if key, err := keys.ParsePublic(strings.Fields(line)[2]); err == nil {
			pinned = append(pinned, key)
		}
	}
	return pinned, known
}

// keyChange is how the keys that a registry shows differ from the pinned ones.
type keyChange struct {
	first bool // no key of the user was seen there before
	fresh []keys.PublicKey
	gone  []keys.PublicKey
}

func (k *knownKeys) compare(host, user string, shown []keys.PublicKey) keyChange {
	pinned, known := k.of(host, user)
	change := keyChange{first: !known}
	for _, key := range shown {
		if !slices.Contains(pinned, key) {
			change.fresh = append(change.fresh, key)
		}
	}
	for _, key := range pinned {
		if !slices.Contains(shown, key) {
			change.gone = append(change.gone, key)
		}
	}
	return change
}

// follow pins what the registry shows of a user: at first all, later what is gone no longer. A
// key that came after the first time is fault.NotTrusted, and changes nothing, unless trustNew says that it is meant.
func (k *knownKeys) follow(ctx context.Context, host, user string, shown []keys.PublicKey, trustNew bool) (keyChange, error) {
	change := k.compare(host, user, shown)
	if len(change.fresh)+len(change.gone) == 0 {
		return change, nil
	}
	err := changeTrusted(ctx, k.path, func() ([]byte, error) {
		if err := k.read(); err != nil {
			return nil, err
		}
		change = k.compare(host, user, shown)
		if len(change.fresh) > 0 && !change.first && !trustNew {
			return nil, fault.New(fault.NotTrusted,
				fmt.Sprintf("ask %s; if it is theirs: keyward getkey -u %s --trust-new", user, user),
				"%s HAS A NEW KEY at %s, which is not trusted: %s", user, host, strings.Join(fingerprints(change.fresh), ", "))
		}
		k.pin(host, user, shown)
		return []byte(strings.Join(k.lines, "\n") + "\n"), nil
	})
	return change, err
}

// pin replaces the lines of the user.
func (k *knownKeys) pin(host, user string, shown []keys.PublicKey) {
	k.lines = slices.DeleteFunc(k.lines, func(line string) bool { return whose(line, host, user) })
	for _, key := range shown {
		k.lines = append(k.lines, host+" "+user+" "+key.String())
	}
	if len(shown) == 0 {
		k.lines = append(k.lines, host+" "+user+" "+noneLeft)
	}
}

func fingerprints(list []keys.PublicKey) []string {
	words := make([]string, len(list))
	for i, key := range list {
		words[i] = key.Fingerprint()
	}
	return words
}

// directoryName refuses what is no user's name, before it gets into a file or a path.
func directoryName(name string) error {
	if err := store.ValidName(name); err != nil {
		return fault.New(fault.Usage, fault.HintOf(err), "%w", err)
	}
	return nil
}
