package cmd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/restclient"
)

func (e *env) serversCommand() *cli.Command {
	return &cli.Command{
		Name: "servers", Category: userKeys,
		Usage: "keep registries under short names, for --server",
		Description: "Keeps the URL of a registry, how it is trusted and who logs in there under a name, in the file servers.json of the config folder. " +
			"--server NAME, or KEYWARD_SERVER, then stands for them in every command that talks to a registry; addkey and rotatekey take it more than once.",
		UsageText: "keyward servers add work --url https://mercury:9100 --ca-file ca.cert.pem --as alice\nkeyward listkeys --server work",
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "keep a registry under a name", ArgsUsage: "NAME",
				Description: "Keeps the registry as NAME: letters, digits, and . _ - inside. Nothing is sent to it. " +
					"Without --ca-file and --pin it is trusted by the system's roots, or as it was trusted on first use. " +
					"A flag of a later command goes before what is kept, and what is kept goes before variables. Silent on success.",
				UsageText: "keyward servers add work --url https://mercury:9100 --ca-file ca.cert.pem --as alice\nkeyward servers add work --url https://venus:9100 --force",
				Flags: []cli.Flag{
					urlFlag(), caFileFlag(), pinFlag(),
					&cli.StringFlag{Name: "as", EnvVars: []string{"KEYWARD_USER"}, Usage: "log in there as `NAME`", DefaultText: "--as of each command"},
					forceFlag("replace the registry of that name"),
					e.quietFlag(), e.jsonFlag(),
				},
				Action: e.serversAdd,
			},
			{
				Name: "list", Usage: "list the registries that are kept",
				Description: "Prints a table: name, URL, how it is trusted, who logs in. With --json an array of objects with name, url, ca_file, pin and user.",
				UsageText:   "keyward servers list\nkeyward servers list --json",
				Flags:       []cli.Flag{e.quietFlag(), e.jsonFlag()},
				Action:      e.serversList,
			},
			{
				Name: "remove", Usage: "forget a registry", ArgsUsage: "NAME",
				Description: "Forgets the registry of that name. Nothing is sent to it, and the keys that are registered there stay. Silent on success.",
				UsageText:   "keyward servers remove work",
				Flags:       []cli.Flag{e.quietFlag(), e.jsonFlag()},
				Action:      e.serversRemove,
			},
		},
	}
}

// server is a registry, how it is trusted, and who logs in there.
type server struct {
	Name   string `json:"name,omitempty"` // in servers.json it is the key; "" for one that --url names
	URL    string `json:"url"`
	CAFile string `json:"ca_file,omitempty"` // an absolute path; or there is a pin, or neither
	Pin    string `json:"pin,omitempty"`
	User   string `json:"user,omitempty"`
}

// host is the registry's host:port, under which it is remembered.
func (s server) host() (string, error) {
	u, err := restclient.ParseURL(s.URL)
	if err != nil {
		return "", err
	}
	return u.Host, nil
}

// isSame tells whether both are one registry, whatever they are called and whoever logs in.
func (s server) isSame(other server) bool {
	a, errA := restclient.ParseURL(s.URL)
	b, errB := restclient.ParseURL(other.URL)
	return errA == nil && errB == nil && *a == *b
}

// title names the server to people.
func (s server) title() string { return printable(cmp.Or(s.Name, s.URL)) }

// needUser refuses a server where it is not known who logs in.
func (s server) needUser() error {
	if s.User == "" {
		return fault.New(fault.Usage, "give --as NAME, or set KEYWARD_USER or USER", "it is not known who logs in")
	}
	return nil
}

// check refuses what no connection could use.
func (s server) check() error {
	if _, err := s.host(); err != nil {
		return err
	}
	if s.Pin != "" {
		_, err := restclient.Pinned(s.Pin)
		return err
	}
	if s.CAFile != "" {
		_, err := rootsFrom(s.CAFile)
		return err
	}
	return nil
}

// server is the one registry that the flags name.
func (e *env) server(c *cli.Context) (server, error) {
	all, err := e.servers(c)
	if err != nil {
		return server{}, err
	}
	return all[0], nil
}

// servers are the registries that the flags name, at least one: by --server, else by --url. A
// flag goes before the other's variable.
func (e *env) servers(c *cli.Context) ([]server, error) {
	given := e.call.given
	if given["server"] && given["url"] {
		return nil, fault.New(fault.Usage, "take one of them", "--server and --url do not go together")
	}
	if given["pin"] && given["ca-file"] {
		return nil, fault.New(fault.Usage, "take one of them", "--pin and --ca-file do not go together")
	}
	names := keptNames(c)
	if len(names) == 0 || given["url"] {
		one, err := e.flaggedServer(c)
		return []server{one}, err
	}
	kept, err := e.keptServers()
	if err != nil {
		return nil, err
	}
	var all []server
	for _, name := range names {
		one, err := kept.get(name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(s server) bool { return s.Name == name }) {
			return nil, fault.New(fault.Usage, "name each once", "--server %s is there twice", printable(name))
		}
		all = append(all, e.overridden(c, one))
	}
	return all, nil
}

// keptNames are those of --server, in commands that take one and in those that take more.
func keptNames(c *cli.Context) []string {
	if name, one := c.Value("server").(string); one && name != "" {
		return []string{name}
	}
	return c.StringSlice("server")
}

// flaggedServer is the registry that the flags or their variables describe.
func (e *env) flaggedServer(c *cli.Context) (server, error) {
	if c.String("url") == "" {
		return server{}, fault.New(fault.Usage, "give --url or --server, or set KEYWARD_URL or NC_URL", "no registry is named")
	}
	s := server{URL: c.String("url"), CAFile: c.String("ca-file"), Pin: c.String("pin"), User: c.String("as")}
	if e.call.given["ca-file"] {
		s.Pin = "" // the flag goes before the variable
	} else if s.Pin != "" {
		s.CAFile = ""
	}
	return s, nil
}

// overridden is a kept server with what flags say instead. Variables are for a server that
// --url names: they do not change one that is kept, but for who logs in where that is not.
func (e *env) overridden(c *cli.Context, s server) server {
	if e.call.given["ca-file"] || e.call.given["pin"] {
		s.CAFile, s.Pin = "", ""
	}
	if e.call.given["ca-file"] {
		s.CAFile = c.String("ca-file")
	}
	if e.call.given["pin"] {
		s.Pin = c.String("pin")
	}
	if e.call.given["as"] || s.User == "" {
		s.User = c.String("as")
	}
	return s
}

// keptServers is the file servers.json in the config folder.
type keptServers struct {
	path string
	all  map[string]server
}

func (e *env) keptServers() (*keptServers, error) {
	dir, err := e.configDir()
	if err != nil {
		return nil, err
	}
	k := &keptServers{path: filepath.Join(dir, "servers.json")}
	return k, k.read()
}

// serversFile is the JSON of servers.json.
type serversFile struct {
	Servers map[string]server `json:"servers"` // by their names
}

// read refuses what this program would not write: a field that it does not know would be lost at the next change.
func (k *keptServers) read() error {
	k.all = map[string]server{}
	text, err := readTrusted(k.path)
	if text == nil || err != nil {
		return err
	}
	var file serversFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&file)
	if _, more := decoder.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("there is more behind the JSON")
	}
	if err != nil {
		return fault.New(fault.InvalidFile, "mend the file, or remove it and add the servers again", "%s: %w", k.path, err)
	}
	for name, s := range file.Servers {
		s.Name = name
		k.all[name] = s
	}
	return nil
}

// change lets do change what the file holds by now.
func (k *keptServers) change(ctx context.Context, do func() error) error {
	return changeTrusted(ctx, k.path, func() ([]byte, error) {
		if err := k.read(); err != nil {
			return nil, err
		}
		if err := do(); err != nil {
			return nil, err
		}
		file := serversFile{map[string]server{}}
		for name, s := range k.all {
			s.Name = ""
			file.Servers[name] = s
		}
		text, err := json.MarshalIndent(file, "", "  ")
		return append(text, '\n'), err
	})
}

func (k *keptServers) get(name string) (server, error) {
	s, found := k.all[name]
	if !found {
		return s, fault.New(fault.NotFound, "see `keyward servers list`; `keyward servers add` keeps one", "no server is kept as %s", printable(name))
	}
	return s, nil
}

// sorted are the servers by their names.
func (k *keptServers) sorted() []server {
	all := []server{}
	for _, name := range slices.Sorted(maps.Keys(k.all)) {
		all = append(all, k.all[name])
	}
	return all
}

// serverArgument is the one NAME of a server. It has no character that a shell or a terminal would take for something else.
func serverArgument(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", fault.New(fault.Usage, "name the server: keyward servers "+c.Command.Name+" NAME",
			"servers %s takes one NAME, and got %q", c.Command.Name, strings.Join(c.Args().Slice(), " "))
	}
	const most = 64
	name := c.Args().First()
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	if name == "" || len(name) > most || strings.ContainsRune("._-", rune(name[0])) || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return "", fault.New(fault.Usage, fmt.Sprintf("take up to %d letters, digits, and . _ - inside", most), "%q is no name for a server", name)
	}
	return name, nil
}

func (e *env) serversAdd(c *cli.Context) error {
	name, err := serverArgument(c)
	if err != nil {
		return err
	}
	if e.call.given["pin"] && e.call.given["ca-file"] {
		return fault.New(fault.Usage, "take one of them", "--pin and --ca-file do not go together")
	}
	if c.String("url") == "" {
		return fault.New(fault.Usage, "give --url", "servers add needs the registry's URL")
	}
	s, err := e.flaggedServer(c)
	if err != nil {
		return err
	}
	s, err = s.toKeep()
	if err != nil {
		return err
	}
	kept, err := e.keptServers()
	if err != nil {
		return err
	}
	return kept.change(c.Context, func() error {
		if _, found := kept.all[name]; found && !c.Bool("force") {
			return fault.New(fault.Exists, "take another name, or --force to replace it", "a server is kept as %s already", name)
		}
		kept.all[name] = s
		return nil
	})
}

// toKeep is s, checked, as it is to be read from any folder.
func (s server) toKeep() (server, error) {
	if err := s.check(); err != nil {
		return s, err
	}
	u, err := restclient.ParseURL(s.URL)
	if err != nil {
		return s, err
	}
	s.URL = u.String()
	if s.CAFile != "" {
		s.CAFile, err = filepath.Abs(s.CAFile)
	}
	return s, err
}

func (e *env) serversList(*cli.Context) error {
	kept, err := e.keptServers()
	if err != nil {
		return err
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tURL\tTRUST\tUSER")
	for _, s := range kept.sorted() {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", printable(s.Name), printable(s.URL), s.trust(), printable(cmp.Or(s.User, "-")))
	}
	_ = table.Flush()
	return e.print(kept.sorted(), b.String())
}

// trust says how the server is trusted.
func (s server) trust() string {
	return printable(cmp.Or(s.Pin, s.CAFile, "system, or first use"))
}

func (e *env) serversRemove(c *cli.Context) error {
	name, err := serverArgument(c)
	if err != nil {
		return err
	}
	kept, err := e.keptServers()
	if err != nil {
		return err
	}
	return kept.change(c.Context, func() error {
		if _, err := kept.get(name); err != nil {
			return err
		}
		delete(kept.all, name)
		return nil
	})
}
