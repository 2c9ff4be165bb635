package cmd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keys"
	"keyward/keys/seal"
	"keyward/registry/wire"
)

// directory asks the registry for the keys of a user, drops those whose time is over, and holds the others
// against what was pinned, with --trust-new or without. There is at least one, and none is there twice.
func (e *env) directory(c *cli.Context, s *session, user string) ([]directoryKey, error) {
	host, err := s.server.host()
	if err != nil {
		return nil, err
	}
	list, err := s.Directory(c.Context, s.token, user)
	if err != nil {
		return nil, err
	}
	shown, err := e.usable(list, user)
	if err != nil {
		return nil, err
	}
	change, err := e.pin(c, host, user, publicKeys(shown))
	if err != nil {
		return nil, err
	}
	if len(shown) == 0 {
		return nil, fault.New(fault.NotFound, "ask "+user+" to register one with `keyward addkey`", "%s has no key at %s that is of use", user, host)
	}
	for i := range shown {
		shown[i].New = slices.Contains(change.fresh, shown[i].public)
	}
	return shown, nil
}

// directoryKey is a key of a user as getkey -u prints it.
type directoryKey struct {
	User        string `json:"user"`
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
	Expires     string `json:"expires,omitempty"` // RFC 3339, UTC
	New         bool   `json:"new"`               // it was pinned by this call

	public keys.PublicKey
}

func publicKeys(list []directoryKey) []keys.PublicKey {
	var public []keys.PublicKey
	for _, k := range list {
		public = append(public, k.public)
	}
	return public
}

// usable are the keys whose time is not over.
func (e *env) usable(list []wire.DirectoryKey, user string) ([]directoryKey, error) {
	if len(list) > seal.MaxKeys {
		return nil, strangeKeys(user, fmt.Errorf("%d keys, and no user has more than %d", len(list), seal.MaxKeys))
	}
	usable := []directoryKey{}
	for _, k := range list {
		public, err := keys.ParsePublic(k.Key)
		if err != nil {
			return nil, strangeKeys(user, err)
		}
		var end time.Time
		if k.Expires != "" {
			if end, err = time.Parse(time.RFC3339, k.Expires); err != nil {
				return nil, strangeKeys(user, err)
			}
		}
		over := !end.IsZero() && !end.After(e.now())
		if over || slices.ContainsFunc(usable, func(k directoryKey) bool { return k.public == public }) {
			continue
		}
		usable = append(usable, directoryKey{User: user, Key: public.String(), Fingerprint: public.Fingerprint(), Expires: stamp(end), public: public})
	}
	return usable, nil
}

func strangeKeys(user string, err error) error {
	return fault.New(fault.Unreachable, "check --url, and that client and registry are of versions that go together",
		"what the registry shows as the keys of %s cannot be: %w", user, err)
}

// pin follows what the registry shows, and tells of each change.
func (e *env) pin(c *cli.Context, host, user string, shown []keys.PublicKey) (keyChange, error) {
	known, err := e.knownKeys()
	if err != nil {
		return keyChange{}, err
	}
	change, err := known.follow(c.Context, host, user, shown, c.Bool("trust-new"))
	if err != nil {
		return change, err
	}
	if len(change.fresh) > 0 {
		e.note("trusted from now on as keys of %s at %s; compare them with %s:\n  %s", user, host, user, strings.Join(fingerprints(change.fresh), "\n  "))
	}
	if len(change.gone) > 0 {
		e.note("no longer trusted, since %s does not show them as keys of %s, or their time is over:\n  %s", host, user, strings.Join(fingerprints(change.gone), "\n  "))
	}
	return change, nil
}

// pinned are the keys of a user that were trusted, without a look at the registry.
func (e *env) pinned(s server, user string) ([]keys.PublicKey, error) {
	if err := directoryName(user); err != nil {
		return nil, err
	}
	host, err := s.host()
	if err != nil {
		return nil, err
	}
	known, err := e.knownKeys()
	if err != nil {
		return nil, err
	}
	pinned, _ := known.of(host, user)
	return pinned, nil
}

// readSession logs in to read: with the password where one is at hand, else with the key.
func (e *env) readSession(c *cli.Context) (*session, error) {
	if c.String("password-file") != "" || e.getenv("VOV_PASSWORD") != "" {
		return e.login(c)
	}
	pair, err := e.ownPair(c)
	if err != nil {
		return nil, err
	}
	return e.keySession(c, pair)
}

// keySession logs in with the pair.
func (e *env) keySession(c *cli.Context, pair keys.Pair) (*session, error) {
	conn, err := e.connectAs(c)
	if err != nil {
		return nil, err
	}
	token, err := e.keyLogin(c, conn, pair)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &session{conn, token, conn.server.User}, nil
}

// ownPair is the user key file's.
func (e *env) ownPair(c *cli.Context) (keys.Pair, error) {
	path, err := e.keyfile(c)
	if err != nil {
		return keys.Pair{}, err
	}
	return keys.Load(c.Context, path)
}
