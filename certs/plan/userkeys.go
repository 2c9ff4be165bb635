package plan

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/keys"
)

// userKeyKind is the kind of a user key's step; a certificate's is its role.
const userKeyKind = "user-key"

func (m *Manifest) judgeUserKey(ctx context.Context, u UserKey) Step {
	s := Step{Name: u.Name, Kind: userKeyKind, Action: Leave, at: u.at}
	if _, err := os.Lstat(m.path(u.File)); errors.Is(err, os.ErrNotExist) {
		s.Action, s.Reasons, s.NewKey = Make, []string{"it is not there"}, true
		return s
	}
	_, s.err = keys.Load(ctx, m.path(u.File))
	return s
}

// makeUserKey makes a key file where there is still none. made is false where another run was first.
func (m *Manifest) makeUserKey(ctx context.Context, u UserKey, now time.Time) (made bool, err error) {
	pair, err := keys.Generate()
	if err != nil {
		return false, err
	}
	path := m.path(u.File)
	if err := durable.MakeFolder(filepath.Dir(path), folderMode); err != nil {
		return false, noFolder(err)
	}
	_, err = keys.Save(ctx, path, pair, false, now)
	if errors.Is(err, fault.Exists) {
		_, err = keys.Load(ctx, path)
		return false, err
	}
	return err == nil, err
}
