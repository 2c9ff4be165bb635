package cmd

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/store/backup"
)

func (e *env) backupCommand() *cli.Command {
	return &cli.Command{
		Name: "backup", Category: services, ArgsUsage: "FILE|-",
		Usage: "write what the registry keeps to a file, also while it serves",
		Description: "Writes the users with their password hashes, the keys, the logins that were used, the server's public keys on record, the accounts of the bus and the audit log, all as of one moment, in the form of docs/backup.md. " +
			"Tokens are left out: after a restore everybody logs in again. FILE is made whole or not at all, mode 0600; - is stdout.\n\n" +
			"The server's private keys are files, not rows, and stay out: nobody can log in with what is in the backup. " +
			"With --with-keys the server key, the audit key and the registry's own certificates with their keys go in too. Whoever has that file can be anybody: keep it like the keys themselves.\n\n" +
			"It prints what the backup holds and the head of the audit log, which `keyward audit verify --head` takes; with --json an object with file, time, users, keys, logins, server_keys, accounts, audit_records, audit_head, files and sha256.",
		UsageText: "keyward backup registry.backup\nkeyward backup --data-dir /var/lib/keyward --with-keys \"/backup/keyward-$(date +%F)\"\n" +
			"KEYWARD_STORE='postgres://keyward@db.example.org/keyward?sslmode=verify-full' keyward backup - | age -r age1... > registry.backup.age",
		Flags: append(storeFlags(), serverKeyFlag(), auditKeyFlag(),
			&cli.BoolFlag{Name: "with-keys", EnvVars: variable("with-keys"), Usage: "the private keys and certificates of the registry too"},
			forceFlag("replace FILE"), e.quietFlag(), e.jsonFlag()),
		Action: e.backup,
	}
}

func (e *env) backup(c *cli.Context) error {
	file, err := backupArgument(c)
	if err != nil {
		return err
	}
	dir, where, err := e.storeThere(c)
	if err != nil {
		return err
	}
	var files []backup.File
	if c.Bool("with-keys") {
		if files, err = readKeyFiles(c.Context, keyFiles(c, dir)); err != nil {
			return err
		}
	}
	db, err := openBeside(c.Context, where, nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var sum backup.Summary
	write := func(w io.Writer) (err error) {
		sum, err = backup.Write(w, backup.Header{Time: e.now(), Keyward: e.version}, db.Export(c.Context), files)
		return err
	}
	if file == "-" {
		return write(e.stdout)
	}
	if err := putStream(c.Context, file, 0o600, c.Bool("force"), write); err != nil {
		return err
	}
	return e.printBackup("wrote", file, sum)
}

// backupArgument is the one file that backup and restore are about.
func backupArgument(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", fault.New(fault.Usage, "name it: keyward "+c.Command.Name+" registry.backup", "%s takes one file, and got %d", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}

// backupInfo is a backup in JSON.
type backupInfo struct {
	File string `json:"file"`
	Time string `json:"time"`
	counts
	Files  []string `json:"files"`
	SHA256 string   `json:"sha256"`
}

// counts is what a store holds, in JSON.
type counts struct {
	Users      int64  `json:"users"`
	Keys       int64  `json:"keys"`
	Logins     int64  `json:"logins"`
	ServerKeys int64  `json:"server_keys"`
	Accounts   int64  `json:"accounts"`
	Records    int64  `json:"audit_records"`
	Head       string `json:"audit_head"`
}

func countsOf(t backup.Tally) counts {
	return counts{t.Users, t.Keys, t.Logins, t.ServerKeys, t.Accounts, t.Records, t.Head.String()}
}

func (e *env) printBackup(done, file string, s backup.Summary) error {
	info := backupInfo{File: file, Time: s.Time.UTC().Format(time.RFC3339Nano), counts: countsOf(s.Tally), Files: []string{}, SHA256: s.SHA256}
	text := done + " " + printable(file) + ": " + s.Tally.String()
	for _, f := range s.Files {
		info.Files = append(info.Files, f.Name)
		text += ", " + printable(f.Name)
	}
	return e.print(info, text+"\nhead of the audit log: "+info.Head+"\n")
}

// keyFile is a file that goes with a store and is none of its rows.
type keyFile struct {
	name   string // in a backup
	path   string
	set    string // the files that durable writes together with it
	secret bool
}

// keyFiles are those of a registry: its keys, and its own certificates in the data folder.
func keyFiles(c *cli.Context, dir string) []keyFile {
	server, auditKey := fileOr(c, "server-key", dir, serverKeyFile), fileOr(c, "audit-key", dir, auditKeyFile)
	list := []keyFile{
		{serverKeyFile, server, server, true},
		{serverKeyFile + oldSuffix, server + oldSuffix, server, true},
		{serverKeyFile + nextSuffix, server + nextSuffix, server + nextSuffix, true},
		{auditKeyFile, auditKey, auditKey, true},
		{auditKeyFile + ".pub", auditKey + ".pub", auditKey, false},
	}
	for _, base := range []string{caBasename, serverBasename} {
		for _, suffix := range []string{".cert.pem", ".cert.der", ".key.pem"} {
			list = append(list, keyFile{base + suffix, filepath.Join(dir, base+suffix), filepath.Join(dir, base), suffix == ".key.pem"})
		}
	}
	return list
}

// readKeyFiles reads those that are there.
func readKeyFiles(ctx context.Context, list []keyFile) ([]backup.File, error) {
	var files []backup.File
	for _, k := range list {
		if err := durable.Settle(ctx, filepath.Dir(k.set), filepath.Base(k.set)); err != nil {
			return nil, err
		}
		data, exposed, err := secretfile.Read(k.path, backup.MaxFile)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err == nil && k.secret {
			err = exposed
		}
		if err != nil {
			return nil, err
		}
		files = append(files, backup.File{Name: k.name, Data: data, Secret: k.secret})
	}
	return files, nil
}
