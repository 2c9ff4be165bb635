// Package arrows holds the rules of who may import whom, and the check of a source
// tree against them. Nothing links it: its test is what keeps the rules.
package arrows

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the import path of the tree's root.
const module = "keyward"

// list has a row for every package: what it may import of ours and of others. A
// module of others stands for all its packages. The standard library is free to all.
const list = `
cmd/keyward         -> cmd
cmd/keyward-bus     -> cmd bus/natsembed
cmd                 -> bus bus/natsauth bus/natsclient completions keys keys/seal certs certs/export certs/ledger certs/plan certs/verify store store/audit store/backup store/sqlstore registry registry/wire restclient
cmd                 -> relay relay/message keyexchange keyexchange/msgpack keyexchange/stream keyexchange/transport internal/limit
cmd                 -> fault internal/durable internal/nearest internal/secretfile internal/term
cmd                 -> github.com/coreos/go-systemd/v22 github.com/urfave/cli/v2
completions         ->
fault               ->

keys                -> fault internal/durable internal/secretfile golang.org/x/crypto
keys/seal           -> keys fault golang.org/x/crypto
certs               -> fault internal/durable internal/secretfile github.com/cloudflare/cfssl golang.org/x/crypto software.sslmate.com/src/go-pkcs12
certs/export        -> fault internal/durable certs software.sslmate.com/src/go-pkcs12
certs/ledger        -> certs fault internal/durable internal/secretfile
certs/plan          -> keys certs certs/export certs/ledger fault internal/durable internal/nearest internal/secretfile go.yaml.in/yaml/v4
certs/verify        -> fault internal/secretfile certs golang.org/x/crypto
store               -> bus fault keys store/audit
store/audit         -> fault
store/backup        -> bus fault keys store store/audit
store/sqlstore      -> bus fault internal/secretfile keys store store/audit github.com/gofrs/flock github.com/jackc/pgx/v5 modernc.org/sqlite
store/storetest     -> bus fault keys store store/audit github.com/google/go-cmp
registry            -> bus fault internal/limit internal/prometheus internal/tlsserver keys store store/audit registry/wire golang.org/x/crypto
registry/wire       -> bus
restclient          -> bus fault keys registry/wire
relay               -> fault internal/identity internal/limit internal/prometheus internal/retry internal/rulefile internal/tlsclient internal/tlsserver relay/message github.com/gobwas/ws
relay/message       ->
keyexchange         -> internal/durable fault internal/identity internal/limit internal/prometheus internal/retry internal/rulefile internal/secretfile internal/tlsclient internal/tlsserver keyexchange/msgpack keys filippo.io/edwards25519 golang.org/x/crypto
keyexchange/msgpack -> fault github.com/tinylib/msgp
bus                 -> fault
bus/bustest         -> bus
bus/natsclient      -> bus fault internal/natsdial github.com/nats-io/nats.go
bus/natsauth        -> bus internal/durable fault internal/natsdial internal/prometheus internal/secretfile github.com/nats-io/jwt/v2 github.com/nats-io/nats.go github.com/nats-io/nkeys golang.org/x/crypto/nacl/box
bus/natsembed       -> bus bus/natsauth fault internal/tlsserver github.com/nats-io/nats-server/v2
keyexchange/transport -> fault internal/limit internal/natsdial internal/retry github.com/nats-io/nats.go github.com/nats-io/nkeys
keyexchange/stream  -> keyexchange keyexchange/msgpack internal/retry

internal/arrows     ->
internal/bench      -> bus github.com/nats-io/nats.go internal/pgtest keys keyexchange keyexchange/msgpack keyexchange/transport certs store store/audit store/sqlstore registry registry/wire restclient golang.org/x/crypto
internal/durable    -> fault internal/secretfile github.com/gofrs/flock
internal/gen        -> cmd
internal/identity   -> fault internal/nearest
internal/killsweep  ->
internal/limit      ->
internal/natsdial   -> fault internal/retry internal/tlsclient github.com/nats-io/nats.go
internal/nearest    ->
internal/pgtest     -> github.com/jackc/pgx/v5
internal/prometheus -> internal/limit
internal/retry      -> fault
internal/rulefile   -> fault
internal/sbom       ->
internal/secretfile -> fault
internal/term       -> fault github.com/AlecAivazis/survey/v2 golang.org/x/sys golang.org/x/term
internal/tlsclient  -> fault
internal/tlsserver  ->
`

// arrow is one import: the file that has it and the package it names.
type arrow struct{ file, to string }

// parse reads the rows of a list; rows of one package add up.
func parse(list string) (map[string][]string, error) {
	rows := map[string][]string{}
	for line := range strings.Lines(list) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		from, to, ok := strings.Cut(line, "->")
		if from = strings.TrimSpace(from); !ok || from == "" {
			return nil, fmt.Errorf("row without a package and an arrow: %q", line)
		}
		rows[from] = append(rows[from], strings.Fields(to)...)
	}
	return rows, nil
}

// scan finds the packages of a tree and their arrows: the imports of every Go file that
// is not a test, whatever its build tags, in the folders that the go command looks at.
func scan(tree fs.FS) (map[string][]arrow, error) {
	packages := map[string][]arrow{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		arrows, err := arrowsOf(tree, name)
		packages[path.Dir(name)] = append(packages[path.Dir(name)], arrows...)
		return err
	})
	return packages, err
}

// ignored says whether the go command skips a folder of that name.
func ignored(folder string) bool {
	return folder != "." && strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_") ||
		folder == "testdata" || folder == "vendor"
}

// arrowsOf lists a file's imports: ours relative to the module, no standard library.
func arrowsOf(tree fs.FS, name string) ([]arrow, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var arrows []arrow
	for _, spec := range file.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		if !standard(to) {
			arrows = append(arrows, arrow{name, strings.TrimPrefix(to, module+"/")})
		}
	}
	return arrows, nil
}

// standard says whether an import path is of the standard library. cgo's "C" is not.
func standard(to string) bool {
	first, _, _ := strings.Cut(to, "/")
	return !strings.Contains(first, ".") && first != module && to != "C"
}

// check holds a tree against a list. Its error joins every fault: an arrow or a package
// that is not listed, a listed package that is not there, a tree with nothing in it.
func check(tree fs.FS, list string) (packages, arrows int, err error) {
	rows, err := parse(list)
	if err != nil {
		return 0, 0, err
	}
	there, err := scan(tree)
	if err != nil {
		return 0, 0, err
	}
	if len(there) == 0 {
		return 0, 0, errors.New("the tree has no Go file")
	}
	var faults []error
	for from := range rows {
		if _, ok := there[from]; !ok {
			faults = append(faults, fmt.Errorf("the list has a row for %s, which is not there", from))
		}
	}
	for from, found := range there {
		row, ok := rows[from]
		if !ok {
			faults = append(faults, fmt.Errorf("%s has no row in the list", from))
		}
		for _, a := range found {
			if !slices.ContainsFunc(row, a.allowedBy) {
				faults = append(faults, fmt.Errorf("%s: %s may not import %s", a.file, from, a.to))
			}
		}
		arrows += len(found)
	}
	return len(there), arrows, errors.Join(faults...)
}

// allowedBy says whether an entry of a row allows the arrow: it names the very package,
// or the module of others that has it.
func (a arrow) allowedBy(entry string) bool {
	module, _, _ := strings.Cut(entry, "/")
	return entry == a.to || strings.Contains(module, ".") && strings.HasPrefix(a.to, entry+"/")
}
