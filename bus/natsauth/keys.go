package natsauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// Keys are those of authorizers: all that answer for the same servers have the same.
type Keys struct {
	issuer  nkeys.KeyPair // signs what is answered
	xkey    nkeys.KeyPair // encrypts it
	callout nkeys.KeyPair // logs in to answer
	system  nkeys.KeyPair // logs in to the system account, to end connections
	public  PublicKeys    // of all of them
}

// PublicKeys are the public halves of Keys, for the configuration of a server.
type PublicKeys struct {
	Issuer  string `json:"issuer"`
	XKey    string `json:"xkey"`
	Callout string `json:"callout"`
	System  string `json:"system"`
}

const (
	keysHeader  = "keyward bus keys v1"
	maxKeysFile = 4 << 10
)

// parts are the keys in the order of the file, which has a line for each: its name, a blank and its seed.
func (k *Keys) parts() []keyPart {
	return []keyPart{
		{"issuer", nkeys.PrefixByteAccount, &k.issuer},
		{"xkey", nkeys.PrefixByteCurve, &k.xkey},
		{"callout", nkeys.PrefixByteUser, &k.callout},
		{"system", nkeys.PrefixByteUser, &k.system},
	}
}

type keyPart struct {
	name string
	kind nkeys.PrefixByte
	pair *nkeys.KeyPair
}

// NewKeys makes keys.
func NewKeys() (*Keys, error) {
	k := new(Keys)
	for _, part := range k.parts() {
		pair, err := nkeys.CreatePair(part.kind)
		if part.kind == nkeys.PrefixByteCurve {
			pair, err = nkeys.CreateCurveKeys()
		}
		if err != nil {
			return nil, fault.New(fault.Failed, "", "cannot make the key %s: %w", part.name, err)
		}
		*part.pair = pair
	}
	return k, k.derive()
}

// Public are the public halves.
func (k *Keys) Public() PublicKeys { return k.public }

// derive derives once what every question needs.
func (k *Keys) derive() error {
	issuer, err := newSigner(k.issuer)
	if err != nil {
		return fault.New(fault.Failed, "", "the key issuer: %w", err)
	}
	xkey, err := newBoxer(k.xkey)
	if err != nil {
		return fault.New(fault.Failed, "", "the key xkey: %w", err)
	}
	k.issuer, k.xkey = issuer, xkey
	public := make([]string, 0, 4)
	for _, part := range k.parts() {
		text, err := (*part.pair).PublicKey()
		if err != nil {
			return fault.New(fault.Failed, "", "the key %s: %w", part.name, err)
		}
		public = append(public, text)
	}
	k.public = PublicKeys{Issuer: public[0], XKey: public[1], Callout: public[2], System: public[3]}
	return nil
}

// String has no secret.
func (k *Keys) String() string { return "bus keys of " + k.Public().Issuer }

// GoString is String, so that no way of printing shows a secret.
func (k *Keys) GoString() string { return k.String() }

// ParseKeys reads the text of a file of keys. Its error is fault.InvalidFile, and has nothing of the text.
func ParseKeys(text []byte) (*Keys, error) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	k := new(Keys)
	parts := k.parts()
	if len(lines) != 1+len(parts) || lines[0] != keysHeader {
		return nil, invalidKeys("it is not as `keyward bus config` writes it")
	}
	for i, part := range parts {
		seed, ok := strings.CutPrefix(lines[1+i], part.name+" ")
		pair, err := nkeys.FromSeed([]byte(seed))
		if part.kind == nkeys.PrefixByteCurve {
			pair, err = nkeys.FromCurveSeed([]byte(seed))
		}
		kind, _, other := nkeys.DecodeSeed([]byte(seed))
		if !ok || err != nil || other != nil || kind != part.kind {
			return nil, invalidKeys("the key " + part.name + " does not parse")
		}
		*part.pair = pair
	}
	return k, k.derive()
}

func invalidKeys(what string) error {
	return fault.New(fault.InvalidFile, "restore the file from a backup; with other keys every server needs another configuration", "%s", what)
}

func (k *Keys) text() ([]byte, error) {
	text := []byte(keysHeader + "\n")
	for _, part := range k.parts() {
		seed, err := (*part.pair).Seed()
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", part.name, err)
		}
		text = fmt.Appendf(text, "%s %s\n", part.name, seed)
	}
	return text, nil
}

// LoadKeys reads a file of keys. It refuses with fault.Policy one that others can read, or whose folder they can write to. A
// missing file is fault.NotFound, and one that does not parse fault.InvalidFile.
func LoadKeys(ctx context.Context, path string) (*Keys, error) {
	dir, base := filepath.Split(path)
	if err := secretfile.FolderExposed(path); err != nil {
		return nil, missingKeys(path, err)
	}
	if err := durable.Settle(ctx, cmp.Or(dir, "."), base); err != nil {
		return nil, missingKeys(path, err)
	}
	text, exposed, err := secretfile.Read(path, maxKeysFile)
	if err := cmp.Or(err, exposed); err != nil {
		return nil, missingKeys(path, err)
	}
	k, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

func missingKeys(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fault.New(fault.NotFound, "name with --bus-keys the file that `keyward bus config` made for the servers; that command makes one where there is none", "%s: no bus keys: %w", path, fs.ErrNotExist)
}

// CreateKeys writes the file of new keys, mode 0600, and makes its folder, mode 0700, where there is none. A file that is
// there already is fault.Exists, and stays: of two who create it at once one does.
func CreateKeys(ctx context.Context, path string) (*Keys, error) {
	k, err := NewKeys()
	if err != nil {
		return nil, err
	}
	text, err := k.text()
	if err != nil {
		return nil, err
	}
	dir, base := filepath.Split(path)
	dir = cmp.Or(dir, ".")
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return nil, err
	}
	if err := secretfile.FolderExposed(path); err != nil {
		return nil, err
	}
	return k, durable.Put(ctx, dir, base, []durable.File{{Name: base, Data: text, Mode: 0o600}}, false)
}
