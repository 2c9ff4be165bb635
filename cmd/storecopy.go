package cmd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/backup"
	"keyward/store/sqlstore"
)

func (e *env) storeCommand() *cli.Command {
	return &cli.Command{
		Name: "store", Category: services,
		Usage:       "look at what the registry keeps, and move it to another database",
		Description: "A store is what `serve --store` names. These commands work on it past the registry, so they need its database, not a login.",
		UsageText:   "keyward store show --data-dir /var/lib/keyward",
		Subcommands: []*cli.Command{
			{
				Name: "copy", Usage: "copy a store to another",
				Description: "Copies users, keys, used logins, server keys, the accounts of the bus and the audit log, as of one moment and in one transaction, and compares the counts. Tokens stay behind: everybody logs in again. " +
					"Stop the registry before: what it changes after that moment is not in the copy. " +
					"A target that is not empty is refused without --replace, and its audit log is never shortened. The key files are not touched; the copy is noted in the target's audit log, with the audit key.\n\n" +
					"With --json an object with from and to, each with store, kind, users, keys, logins, server_keys, accounts, audit_records and audit_head.",
				UsageText: "keyward store copy --data-dir /var/lib/keyward --to 'postgres://keyward@db.example.org/keyward?sslmode=verify-full'\n" +
					"keyward store copy --from postgres:///keyward --to /var/lib/keyward/registry.db --data-dir /var/lib/keyward",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "from", EnvVars: variable("store-from"), Usage: "copy this `STORE`, as `serve --store` has it", DefaultText: databaseFile + " in --data-dir"},
					&cli.StringFlag{Name: "to", EnvVars: variable("store-to"), Usage: "to this `STORE`"},
					dataDirFlag(), auditKeyFlag(),
					&cli.BoolFlag{Name: "replace", Usage: "replace what is in the target"},
					e.quietFlag(), e.jsonFlag(),
				},
				Action: e.storeCopy,
			},
			{
				Name: "show", Usage: "tell what a store holds",
				Description: "Prints the kind of the store, the version of its schema, how much is in it, the server's public keys on record, and the head of the audit log. It changes nothing. " +
					"With --json an object with store, kind, schema_version, users, keys, logins, server_keys, accounts, audit_records, audit_head and keys_on_record.",
				UsageText: "keyward store show\nkeyward store show --store postgres:///keyward --json",
				Flags:     append(storeFlags(), e.quietFlag(), e.jsonFlag()),
				Action:    e.storeShow,
			},
		},
	}
}

// storeInfo is a store in JSON.
type storeInfo struct {
	Store string `json:"store"`
	Kind  string `json:"kind"`
	counts
}

func infoOf(p storePlace, t backup.Tally) storeInfo {
	return storeInfo{p.String(), p.kind(), countsOf(t)}
}

func (e *env) storeCopy(c *cli.Context) error {
	from, to, err := e.copyPlaces(c)
	if err != nil {
		return err
	}
	dir, err := e.dataFolderName(c)
	if err != nil {
		return err
	}
	source, err := e.openSource(c.Context, from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := whatIsIn(c.Context, to)
	if err != nil {
		return err
	}
	if !target.empty && !c.Bool("replace") {
		return fault.New(fault.Exists, "give --replace to replace all of it", "%s is not empty", to)
	}
	auditKey := fileOr(c, "audit-key", dir, auditKeyFile)
	signer, err := readAuditKey(c.Context, auditKey)
	if err == nil {
		err = checkAuditKey(auditKey, signer, target.Last)
	}
	if err != nil {
		return err
	}
	var copied backup.Tally
	act := byItself(e.now(), audit.Restored, "", fmt.Sprintf("copy of a store in %s", from.kind()))
	if err := replaceAll(c.Context, to, signer, tallied(source.Export(c.Context), &copied), act); err != nil {
		return err
	}
	arrived, err := countAll(c.Context, to)
	if err != nil {
		return err
	}
	info := struct {
		From storeInfo `json:"from"`
		To   storeInfo `json:"to"`
	}{infoOf(from, copied), infoOf(to, arrived)}
	err = e.print(info, fmt.Sprintf("from %s: %s\nto   %s: %s\n", printable(from.String()), copied, printable(to.String()), arrived))
	return errors.Join(err, sameCounts(copied, arrived, target.empty))
}

// copyPlaces are --from and --to.
func (e *env) copyPlaces(c *cli.Context) (from, to storePlace, err error) {
	dir, err := e.dataFolderName(c)
	if err != nil {
		return "", "", err
	}
	if from, err = e.parsePlace(fileOr(c, "from", dir, databaseFile), "from", "KEYWARD_STORE_FROM"); err != nil {
		return "", "", err
	}
	if c.String("to") == "" {
		return "", "", fault.New(fault.Usage, "give --to postgres://USER@HOST/DATABASE, or the path of a file", "--to is missing")
	}
	if to, err = e.parsePlace(c.String("to"), "to", "KEYWARD_STORE_TO"); err != nil {
		return "", "", err
	}
	if from == to || sameFile(string(from), string(to)) {
		return "", "", fault.New(fault.Usage, "name two stores", "--from and --to are one store")
	}
	return from, to, nil
}

func sameFile(a, b string) bool {
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}

// openSource opens a store to copy it, and keeps others from changing an SQLite file meanwhile.
func (e *env) openSource(ctx context.Context, from storePlace) (*sqlstore.Store, error) {
	if err := missing(from, "from"); err != nil {
		return nil, err
	}
	db, shared, err := openEither(ctx, from, nil)
	if err == nil && shared && !from.isPostgres() {
		e.note("warning: a registry serves %s: what it changes from now on is not in the copy", printable(from.String()))
	}
	return db, err
}

// tallied counts rows as they pass.
func tallied(rows iter.Seq2[store.Row, error], t *backup.Tally) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for row, err := range rows {
			if err == nil {
				err = t.Add(row)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// countAll counts what is in a store that is there.
func countAll(ctx context.Context, where storePlace) (t backup.Tally, err error) {
	db, err := openBeside(ctx, where, nil)
	if err != nil {
		return t, err
	}
	defer func() { _ = db.Close() }()
	err = tallyOf(ctx, db, &t)
	return t, err
}

func tallyOf(ctx context.Context, db store.Store, t *backup.Tally) error {
	for row, err := range db.Export(ctx) {
		if err == nil {
			err = t.Add(row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sameCounts compares a copy. The copy itself is one record more, and a store that was not empty keeps its used logins
// and the records that the source has not.
func sameCounts(from, to backup.Tally, wasEmpty bool) error {
	same := from.Users == to.Users && from.Keys == to.Keys && from.ServerKeys == to.ServerKeys && from.Accounts <= to.Accounts && from.Logins <= to.Logins && from.Records < to.Records
	if wasEmpty {
		same = same && from.Logins == to.Logins && from.Records+1 == to.Records
	}
	if same {
		return nil
	}
	return fault.New(fault.Failed, "see that no registry serves the target, and copy again with --replace", "the counts of the copy differ")
}
