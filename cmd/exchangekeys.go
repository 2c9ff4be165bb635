package cmd

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/keyexchange"
)

// lookForKeys is how often the file of the exchange keys is looked at.
const lookForKeys = time.Second

const exchangePasswordFlag = "exchange-keys-password-file"

// exchangeKeysFlags name the file of the exchange keys, and its password.
func exchangeKeysFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "exchange-keys", EnvVars: variable("exchange-keys"), TakesFile: true,
			Usage: "the keys that seal and open are in `FILE`", DefaultText: "keyexchange/keys in $KEYWARD_HOME, $XDG_DATA_HOME/keyward or $HOME/.local/share/keyward"},
		&cli.StringFlag{Name: exchangePasswordFlag, EnvVars: variable(exchangePasswordFlag), TakesFile: true,
			Usage: "the password of encrypted --exchange-keys is the first line of `FILE`, - is stdin; a file that is made is encrypted with it", DefaultText: "asked at the terminal; a file that is made is plain"},
	}
}

// exchangeKeysPath is --exchange-keys, else the file in the user's data folder.
func (e *env) exchangeKeysPath(c *cli.Context) (string, error) {
	if path := c.String("exchange-keys"); path != "" {
		return path, nil
	}
	dir, err := e.place("XDG_DATA_HOME", filepath.Join(".local", "share"))
	return filepath.Join(dir, "keyexchange", "keys"), err
}

// exchangeKeys are the keys of a file, as a service follows it.
type exchangeKeys struct {
	path string
	log  *slog.Logger
	now  func() time.Time
	ask  func() ([]byte, error) // for the password

	ring     atomic.Pointer[keyexchange.Ring]
	mu       sync.Mutex // of what follows: a signal and a look may come together
	file     followed
	password []byte // once it was asked for
}

// exchangeKeys reads the keys that the flags name. With create the first start makes them.
func (e *env) exchangeKeys(c *cli.Context, log *slog.Logger, create bool) (*exchangeKeys, error) {
	path, err := e.exchangeKeysPath(c)
	if err != nil {
		return nil, err
	}
	k := &exchangeKeys{path: path, log: log, now: e.now, ask: e.unlockExchangeKeys(c, path)}
	k.file = followed{what: "exchange keys", names: []string{path}, read: k.read}
	err = k.reload(c.Context)
	if create && errors.Is(err, fault.NotFound) {
		err = k.create(c.Context, c.String(exchangePasswordFlag) != "")
	}
	return k, err
}

// unlockExchangeKeys asks for the password of the file at path, as the flags say.
func (e *env) unlockExchangeKeys(c *cli.Context, path string) func() ([]byte, error) {
	return func() ([]byte, error) {
		password, err := e.unlock(c, exchangePasswordFlag)(path)
		if errors.Is(err, certs.ErrLocked) {
			err = fault.New(fault.Usage, "give --"+exchangePasswordFlag+" (- is stdin)", "the keys are encrypted, and there is no terminal to ask for the password at")
		}
		return password, err
	}
}

// create makes the keys, unless another command does at the same moment.
func (k *exchangeKeys) create(ctx context.Context, encrypted bool) error {
	if encrypted {
		if _, err := k.unlock(); err != nil {
			return err
		}
	}
	err := keyexchange.Create(ctx, k.path, keyexchange.NewRing(k.now()), k.password)
	if err == nil {
		k.log.Info("made exchange keys", "file", k.path, "encrypted", k.password != nil)
	}
	if err != nil && !errors.Is(err, fault.Exists) {
		return err
	}
	return k.reload(ctx)
}

// Ring is the keys as they were read last.
func (k *exchangeKeys) Ring() *keyexchange.Ring { return k.ring.Load() }

// reload reads the file anew.
func (k *exchangeKeys) reload(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file.reload(ctx)
}

// follow looks at the file each second until ctx ends, and calls changed when the keys are others, whoever read them. What
// cannot be read is logged once, and the keys before it stay.
func (k *exchangeKeys) follow(ctx context.Context, changed func()) {
	ticker := time.NewTicker(lookForKeys)
	defer ticker.Stop()
	for told := k.Ring(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			k.look(ctx)
		}
		if now := k.Ring(); now != told {
			told = now
			changed()
		}
	}
}

func (k *exchangeKeys) look(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.file.look(ctx); err != nil && ctx.Err() == nil {
		tellReloadFailed(k.log, k.file.what, err)
	}
}

func (k *exchangeKeys) read(ctx context.Context) error {
	ring, err := keyexchange.Load(ctx, k.path, k.unlock)
	if err != nil {
		return err
	}
	k.ring.Store(ring)
	now := k.now()
	about := []any{"file", k.path, "verify", ring.At(now).Verify.String()}
	if at, pending := ring.Switch(now); pending {
		about = append(about, "switch", at, "next", ring.At(at).Verify.String())
	}
	k.log.Info("exchange keys", about...)
	return nil
}

// unlock gives the password, which is asked for once: while a service runs nobody is asked.
func (k *exchangeKeys) unlock() ([]byte, error) {
	if k.password != nil {
		return k.password, nil
	}
	if k.Ring() != nil {
		return nil, fault.New(fault.Usage, "start anew with --"+exchangePasswordFlag, "the keys are encrypted, and were not at the start")
	}
	password, err := k.ask()
	k.password = password
	return password, err
}
