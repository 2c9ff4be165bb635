package cmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"keyward/fault"
	"keyward/keys"
	"keyward/registry"
	"keyward/store"
	"keyward/store/audit"
)

// servedKeys are the NaCl pairs of a registry that serves. Its files say which it holds; the record in the store, which
// all replicas share, says which of them is the current one, and until when an old one is accepted.
type servedKeys struct {
	path string // of the server key file
	db   store.Store
	log  *slog.Logger
	now  func() time.Time

	files    serverKeyFiles
	onRecord []store.ServerKey
	current  keys.Pair
	others   []registry.OtherKey
}

const serverKeyHint = "give --server-key the file of a server that runs on this store, or of a backup; where it is lost, see `keyward serverkey rotate --help`"

// servedKeys reads the keys, and makes what is missing at the first start. Where the one on record is not among them no
// client would get in, so that is a fault.Policy.
func (e *env) servedKeys(ctx context.Context, log *slog.Logger, path string, db store.Store) (*servedKeys, error) {
	k := &servedKeys{path: path, db: db, log: log, now: e.now}
	err := k.read(ctx)
	if !errors.Is(err, fault.NotFound) {
		return k, err
	}
	onRecord, err := db.ServerKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(onRecord) > 0 {
		return nil, fault.New(fault.Policy, serverKeyHint, "there is no server key in %s, and the store has one on record, %s", path, onRecord[0].Public.Fingerprint())
	}
	if err := makeServerPair(ctx, path, e.now()); err != nil {
		return nil, err
	}
	return k, k.read(ctx)
}

// makeServerPair makes the pair, unless another server of the same folder does at the same moment.
func makeServerPair(ctx context.Context, path string, now time.Time) error {
	pair, err := keys.Generate()
	if err != nil {
		return err
	}
	if _, err = keys.Save(ctx, path, pair, false, now); errors.Is(err, fault.Exists) {
		return nil
	}
	return err
}

// read reads the files, and what the record says of them. Where it fails nothing changed.
func (k *servedKeys) read(ctx context.Context) error {
	before := k.files
	var err error
	if k.files, err = readServerKeys(ctx, k.path); err == nil {
		err = k.follow(ctx)
	}
	if err != nil {
		k.files = before
		return err
	}
	if k.files.replaces != "" && !slices.ContainsFunc(k.onRecord, func(r store.ServerKey) bool { return r.Public == k.files.own.Public }) {
		k.log.Warn("the server key in "+k.path+" is not put on record: it says that it replaces another key than the one on record",
			"server_key", k.files.own.Public.String(), "replaces", k.files.replaces, "on_record", k.onRecord[0].Public.Fingerprint())
	}
	for _, r := range k.onRecord[1:] {
		if !k.files.hold(r.Public) {
			k.log.Warn("logins for an old server key are refused, since it is not in "+k.path+oldSuffix, "server_key", r.Public.String())
		}
	}
	return nil
}

// reload is read and follow for a server that serves: it accepts what they say.
func (k *servedKeys) reload(server *registry.Server, look func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		before := k.current.Public
		if err := look(ctx); err != nil {
			return err
		}
		if k.current.Public != before {
			k.log.Info("another server key is the current one", "server_key", k.current.Public.String())
		}
		return server.SetKeys(k.current, k.others)
	}
}

// follow holds the keys against the record, and changes that where it is to change.
func (k *servedKeys) follow(ctx context.Context) error {
	onRecord, err := k.record(ctx)
	if err != nil {
		return err
	}
	if !k.files.hold(onRecord[0].Public) {
		return fault.New(fault.Policy, serverKeyHint, "the server key in %s is not the one on record in the store, %s", k.path, onRecord[0].Public.Fingerprint())
	}
	k.onRecord = onRecord
	k.accept()
	return nil
}

// record is what is on record, once it is as it should be.
func (k *servedKeys) record(ctx context.Context) ([]store.ServerKey, error) {
	for {
		onRecord, err := k.db.ServerKeys(ctx)
		if err != nil {
			return nil, err
		}
		want, why := k.wanted(onRecord)
		if why == "" {
			return onRecord, nil
		}
		act := byItself(k.now(), audit.ServerKeySet, "", why)
		act.Key = want[0].Public.Fingerprint()
		err = k.db.SetServerKeys(ctx, onRecord, want, act)
		if err == nil {
			return want, nil
		}
		if !errors.Is(err, store.ErrExists) { // else another replica came first
			return nil, err
		}
	}
}

// wanted is what is to be on record in place of what is, and why; "" where nothing is to change.
func (k *servedKeys) wanted(onRecord []store.ServerKey) (want []store.ServerKey, why string) {
	now := k.now()
	own := store.ServerKey{Public: k.files.own.Public, Since: now}
	if len(onRecord) == 0 {
		return []store.ServerKey{own}, "first start"
	}
	current := onRecord[0]
	ended := func(r store.ServerKey) bool { return !r.Until.IsZero() && !now.Before(r.Until) }
	live := slices.DeleteFunc(slices.Clone(onRecord), ended)
	if current.Public == own.Public || current.Public.Fingerprint() != k.files.replaces {
		if len(live) < len(onRecord) {
			return live, "the overlap is over"
		}
		return nil, ""
	}
	older := slices.DeleteFunc(live, func(r store.ServerKey) bool { return r.Public == own.Public || r.Public == current.Public })
	want, why = []store.ServerKey{own}, "replaces "+current.Public.Fingerprint()
	if k.files.overlap > 0 {
		current.Until = now.Add(k.files.overlap)
		want, why = append(want, current), why+", which is taken until "+stamp(current.Until)
	}
	return append(want, older...), why
}

// accept takes from the record which of the keys logins may be sealed for. One that is to come is not on record yet.
func (k *servedKeys) accept() {
	k.others = nil
	for _, pair := range k.files.all() {
		i := slices.IndexFunc(k.onRecord, func(r store.ServerKey) bool { return r.Public == pair.Public })
		switch {
		case i == 0:
			k.current = pair
		case i > 0:
			k.others = append(k.others, registry.OtherKey{Pair: pair, Until: k.onRecord[i].Until})
		case pair == k.files.next:
			k.others = append(k.others, registry.OtherKey{Pair: pair})
		}
	}
}

// The files beside the server key file.
const (
	oldSuffix  = ".old"  // the pair that was replaced
	nextSuffix = ".next" // the pair that is to come
)

// serverKeyFiles are the server key file and those beside it. A pair that is not there is the zero one.
type serverKeyFiles struct {
	own, old, next keys.Pair
	replacement
}

// replacement is what a server key file says of the key that its own stands in for. The zero one is of none.
type replacement struct {
	replaces string // fingerprint
	rotated  time.Time
	overlap  time.Duration // how long the old one is accepted once the new one is on record
}

// readServerKeys reads the server key file, which has to be there, and those beside it.
func readServerKeys(ctx context.Context, path string) (f serverKeyFiles, err error) {
	if f.own, err = keys.Load(ctx, path); err != nil {
		return f, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	f.replacement = parseReplacement(string(text))
	if f.old, err = loadIfThere(ctx, path+oldSuffix); err != nil {
		return f, err
	}
	f.next, err = loadIfThere(ctx, path+nextSuffix)
	return f, err
}

func loadIfThere(ctx context.Context, path string) (keys.Pair, error) {
	pair, err := keys.Load(ctx, path)
	if errors.Is(err, fault.NotFound) {
		return keys.Pair{}, nil
	}
	return pair, err
}

// all are the pairs that are there, each once.
func (f serverKeyFiles) all() []keys.Pair {
	all := []keys.Pair{f.own}
	for _, pair := range []keys.Pair{f.old, f.next} {
		if pair != (keys.Pair{}) && !slices.ContainsFunc(all, func(p keys.Pair) bool { return p.Public == pair.Public }) {
			all = append(all, pair)
		}
	}
	return all
}

func (f serverKeyFiles) hold(key keys.PublicKey) bool {
	return slices.ContainsFunc(f.all(), func(p keys.Pair) bool { return p.Public == key })
}

// text are the lines of a server key file. Readers of user keys take no notice of them.
func (r replacement) text() string {
	return "replaces " + r.replaces + "\nrotated " + stamp(r.rotated) + "\noverlap " + r.overlap.String() + "\n"
}

func parseReplacement(text string) (r replacement) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "replaces":
			r.replaces = value
		case "rotated":
			r.rotated = instant(value)
		case "overlap":
			r.overlap, _ = time.ParseDuration(value) // by hand: none
		}
	}
	return r
}

// ends is when the overlap ends, if the registry was told of the rotation at once.
func (r replacement) ends() time.Time { return r.rotated.Add(r.overlap) }
