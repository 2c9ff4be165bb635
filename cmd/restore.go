package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/backup"
)

func (e *env) restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Category: services, ArgsUsage: "FILE",
		Usage: "put a backup in the place of what the registry keeps",
		Description: "Works while the registry serves, too. Reads the whole backup first: one that was cut off or changed changes nothing. Then all of it takes the place of what is in the store, in one transaction, and all tokens end. " +
			"A store that is not empty asks, or needs --replace. Its audit log stays and is added to, never shortened: where it and the backup's are two different logs the restore is refused. Its used logins stay used, its server keys stay on record, and accounts of the bus that the backup has not are revoked.\n\n" +
			"With --with-keys the key files of the backup are put where there are none. One that is there and differs is replaced with --force only; the backup's server keys go on record with them. " +
			"The restore is noted in the audit log, with the audit key: a store that has a log wants the key of that log. docs/backup.md has more, also for where keys are lost.\n\n" +
			"With --json an object as `keyward backup` prints it.",
		UsageText: "keyward restore registry.backup --data-dir /var/lib/keyward --with-keys\nkeyward restore registry.backup --replace",
		Flags: append(storeFlags(), serverKeyFlag(), auditKeyFlag(),
			&cli.BoolFlag{Name: "replace", Usage: "do not ask: replace what is in the store"},
			&cli.BoolFlag{Name: "with-keys", EnvVars: variable("with-keys"), Usage: "the private keys and certificates of the registry too"},
			forceFlag("with --with-keys, replace key files that are there"), e.quietFlag(), e.jsonFlag()),
		Action: e.restore,
	}
}

func (e *env) restore(c *cli.Context) error {
	file, err := backupArgument(c)
	if err != nil {
		return err
	}
	in, sum, err := openBackup(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	dir, where, err := e.folderAndStore(c)
	if err != nil {
		return err
	}
	target, err := whatIsIn(c.Context, where)
	if err != nil {
		return err
	}
	if !target.empty {
		if err := e.agreeTo("--replace", c.Bool("replace"), "Replace what is in "+printable(where.String())+" by the backup of "+sum.Time.Format(time.RFC3339)+"?"); err != nil {
			return err
		}
	}
	if err := e.dataFolder(c.Context, dir); err != nil {
		return err
	}
	if c.Bool("with-keys") {
		if err := e.restoreKeyFiles(c.Context, sum.Files, keyFiles(c, dir), c.Bool("force")); err != nil {
			return err
		}
	}
	rows := backup.Rows(in)
	if !c.Bool("with-keys") && len(target.ServerKeys) > 0 {
		rows = withServerKeys(rows, target.ServerKeys)
	}
	signer, err := e.signerOf(c.Context, fileOr(c, "audit-key", dir, auditKeyFile), target.Last)
	if err != nil {
		return err
	}
	err = replaceAll(c.Context, where, signer, rows, byItself(e.now(), audit.Restored, "", "backup of "+sum.Time.Format(time.RFC3339)+", SHA-256 "+sum.SHA256))
	if err != nil {
		return err
	}
	if target.empty {
		e.note("note: a login that was used after the backup could be used again: let four minutes pass between the end of the old registry and the start of this one")
	}
	if !c.Bool("with-keys") && len(sum.Files) > 0 {
		e.note("note: the key files of the backup were not put in place: that needs --with-keys")
		sum.Files = nil
	}
	return e.printBackup("restored", file, sum)
}

// openBackup opens a backup that nobody else could have written or can read, and checks all of it.
func openBackup(file string) (*os.File, backup.Summary, error) {
	in, exposed, err := secretfile.Open(file)
	if err != nil {
		return nil, backup.Summary{}, err
	}
	var sum backup.Summary
	if err = errors.Join(exposed, secretfile.FolderExposed(file)); err == nil {
		if sum, err = backup.Check(in); err != nil {
			err = fault.New(kindOf(err), fault.HintOf(err), "%s: %w", file, err)
		}
	}
	if err == nil {
		_, err = in.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = in.Close()
		return nil, sum, err
	}
	return in, sum, nil
}

// replaceAll puts rows in the place of what is in a store, which a registry may serve meanwhile.
func replaceAll(ctx context.Context, where storePlace, signer *audit.Signer, rows iter.Seq2[store.Row, error], act audit.Act) error {
	db, _, err := openEither(ctx, where, signer)
	if err != nil {
		return err
	}
	return errors.Join(db.Import(ctx, rows, act), db.Close())
}

// withServerKeys puts others in the place of the server keys on record.
func withServerKeys(rows iter.Seq2[store.Row, error], list []store.ServerKey) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, k := range list {
			if !yield(store.Row{ServerKey: &k}, nil) {
				return
			}
		}
		for row, err := range rows {
			if row.ServerKey == nil && !yield(row, err) {
				return
			}
		}
	}
}

// restoredKeys is the set of files that restore puts into a data folder.
const restoredKeys = "restored-keys"

// restoreKeyFiles puts the key files of a backup in place, all or none. Those that are there as they are in the backup stay.
func (e *env) restoreKeyFiles(ctx context.Context, files []backup.File, list []keyFile, force bool) error {
	if len(files) == 0 {
		return fault.New(fault.NotFound, "take a backup with --with-keys, or leave --with-keys out", "there are no key files in the backup")
	}
	folders := map[string][]durable.File{}
	for _, k := range list {
		for _, f := range files {
			if f.Name != k.name {
				continue
			}
			there, err := os.ReadFile(k.path)
			if err == nil && bytes.Equal(there, f.Data) {
				continue
			}
			if err == nil && !force {
				return fault.New(fault.Exists, "give --force to replace it, or leave out --with-keys", "%s is there, and is not the one of the backup", k.path)
			}
			mode := fs.FileMode(0o644)
			if k.secret {
				mode = 0o600
			}
			dir := filepath.Dir(k.path)
			folders[dir] = append(folders[dir], durable.File{Name: filepath.Base(k.path), Data: f.Data, Mode: mode})
		}
	}
	for dir, files := range folders {
		if err := durable.Put(ctx, dir, restoredKeys, files, force); err != nil {
			return err
		}
	}
	return nil
}
