package cmd

import (
	"context"
	"errors"
	"time"

	"keyward/internal/fault"
	"keyward/keys"
	"keyward/store"
	"keyward/store/audit"
)

// serverPair is the server's NaCl pair: that of the file, whose public key is on record in the store. What is missing
// of both at the first start is made. With another pair no client would get in, so that is a fault.Policy.
func (e *env) serverPair(ctx context.Context, path string, db store.Store) (keys.Pair, error) {
	onRecord, err := db.ServerKeys(ctx)
	if err != nil {
		return keys.Pair{}, err
	}
	pair, err := keys.Load(ctx, path)
	if errors.Is(err, fault.NotFound) {
		if len(onRecord) > 0 {
			return pair, fault.New(fault.Policy, serverKeyHint, "there is no server key in %s, and the store has one on record", path)
		}
		pair, err = e.makeServerPair(ctx, path)
	}
	if err != nil {
		return keys.Pair{}, err
	}
	return pair, recordServerKey(ctx, db, onRecord, pair.Public, path, e.now())
}

const serverKeyHint = "give --server-key the file of a server that runs on this store, or of a backup; where it is lost, see docs/backup.md"

// makeServerPair makes the pair, unless another server of the same folder does at the same moment.
func (e *env) makeServerPair(ctx context.Context, path string) (keys.Pair, error) {
	pair, err := keys.Generate()
	if err != nil {
		return pair, err
	}
	if _, err = keys.Save(ctx, path, pair, false, e.now()); errors.Is(err, fault.Exists) {
		return keys.Load(ctx, path)
	}
	return pair, err
}

// recordServerKey puts the key on record where there is none, and refuses another than the current one. Of several
// servers that start at once on an empty store one comes first.
func recordServerKey(ctx context.Context, db store.Store, onRecord []store.ServerKey, key keys.PublicKey, path string, now time.Time) error {
	if len(onRecord) == 0 {
		act := byItself(now, audit.ServerKeySet, "", "first start")
		act.Key = key.Fingerprint()
		err := db.SetServerKeys(ctx, onRecord, []store.ServerKey{{Public: key, Since: now}}, act)
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if onRecord, err = db.ServerKeys(ctx); err != nil {
			return err
		}
	}
	if len(onRecord) > 0 && onRecord[0].Public == key {
		return nil
	}
	return fault.New(fault.Policy, serverKeyHint, "the server key in %s is not the one on record in the store", path)
}
