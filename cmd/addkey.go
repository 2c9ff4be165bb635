package cmd

import (
	"cmp"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keys"
	"keyward/registry/wire"
)

func (e *env) addkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "addkey", Category: userKeys,
		Usage: "register a public key with one or more registries",
		Description: "Registers the key for the caller, or for another user where the caller is an administrator. " +
			"It logs in with the password: a key cannot register keys. Silent on success. " +
			"A key that has expired logs nobody in. Labels are for people and scripts to find keys by. " +
			"With --server more than once all of them are tried, side by side: what fails is told by server, and the exit code is that of the first one that failed. " +
			"One password is for all where it comes from --password-file or VOV_PASSWORD; at a terminal each is asked for. " +
			"With --json an object with results: server, url, status (added, there, failed) and error.",
		UsageText: "keyward addkey -kd \"my laptop\"\nVOV_PASSWORD=... keyward addkey -kv 32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg= -kd \"Backup key\" --url https://mercury:9100\n" +
			"keyward addkey --server work --server lab -kd \"my laptop\"\n" +
			"keyward addkey -kd runner --expires 90d --label ci --label host=web1",
		Flags: severalServers(e.loginFlags(
			&cli.StringFlag{Name: "kv", Usage: "the public `KEY`", DefaultText: "the user key file's"},
			&cli.StringFlag{Name: "kd", Usage: "its `DESCRIPTION`: one line"},
			&cli.StringFlag{Name: "expires", EnvVars: variable("expires"), Usage: "it logs in for this `TIME`: 90 or 90d, 12h, 12w, 1y, or the last day 2027-01-01", DefaultText: "for ever"},
			&cli.StringSliceFlag{Name: "label", EnvVars: variable("label"), Usage: "a `LABEL` of it, as ci or host=web1; repeatable"},
			aboutUserFlag("register it for user `NAME` (administrator)"),
			&cli.BoolFlag{Name: "if-missing", Usage: "succeed where the key is there already"},
			e.keyfileFlag(),
		)),
		Action: e.addkey,
	}
}

// aboutUserFlag is -u: whom the command is about. It has no environment variable.
func aboutUserFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "u", Aliases: []string{"user"}, Usage: usage, DefaultText: "the caller"}
}

// added is what became of a key at one server.
type added struct {
	Server string   `json:"server,omitempty"`
	URL    string   `json:"url"`
	Status string   `json:"status"` // added, there or failed
	Error  *failure `json:"error,omitempty"`

	err error
}

func (e *env) addkey(c *cli.Context) error {
	key, err := e.newKey(c)
	if err != nil {
		return err
	}
	servers, err := e.servers(c)
	if err != nil {
		return err
	}
	errs, err := e.onEach(c, servers, func(s *session) error {
		return s.AddKey(c.Context, s.token, s.about(c), key)
	})
	if err != nil {
		return err
	}
	var all []added
	for i, err := range errs {
		all = append(all, e.added(servers[i], err, c.Bool("if-missing")))
	}
	if e.json {
		if err := e.print(map[string]any{"results": all}, ""); err != nil {
			return err
		}
	}
	return failedServers(servers, all)
}

func (e *env) added(s server, err error, ifMissing bool) added {
	result := added{Server: s.Name, URL: s.URL, Status: "added"}
	switch {
	case err == nil:
	case ifMissing && errors.Is(err, fault.Exists):
		result.Status = "there"
	default:
		result.Status, result.Error, result.err = "failed", e.failure(err), err
	}
	return result
}

// failedServers makes one error of those of several servers: its kind is that of the first.
func failedServers(servers []server, all []added) error {
	var first error
	failed, words := 0, ""
	for i, result := range all {
		if result.err != nil {
			failed++
			first = cmp.Or(first, result.err)
			words += "\n  " + servers[i].title() + ": " + printable(result.err.Error())
		}
	}
	if failed == 0 || len(all) == 1 {
		return first
	}
	return fault.New(kindOf(first), fault.HintOf(first), "%d of %d servers failed:%s", failed, len(all), words)
}

// newKey is what the flags say of the key to register.
func (e *env) newKey(c *cli.Context) (wire.NewKey, error) {
	key, err := e.keyArgument(c)
	if err != nil {
		return wire.NewKey{}, err
	}
	if !utf8.ValidString(c.String("kd")) {
		return wire.NewKey{}, fault.New(fault.Usage, "write it as UTF-8", "-kd is not UTF-8, as JSON has it")
	}
	labels := slices.Compact(slices.Sorted(slices.Values(c.StringSlice("label"))))
	wanted := wire.NewKey{Key: key.String(), Description: c.String("kd"), Labels: labels}
	if e.says(c, "expires") {
		end, err := parseEnd("expires", c.String("expires"), e.now())
		if err != nil {
			return wanted, err
		}
		wanted.Expires = stamp(end)
	}
	return wanted, nil
}

// keyArgument is the key of -kv, else the user key file's.
func (e *env) keyArgument(c *cli.Context) (keys.PublicKey, error) {
	if kv := c.String("kv"); kv != "" {
		key, err := keys.ParsePublic(kv)
		if err != nil {
			return key, fault.New(fault.Usage, fault.HintOf(err), "-kv: %w", err)
		}
		return key, nil
	}
	path, err := e.keyfile(c)
	if err != nil {
		return keys.PublicKey{}, err
	}
	pair, err := keys.Load(c.Context, path)
	return pair.Public, err
}

// about is whom the command is about: -u, else the caller.
func (s *session) about(c *cli.Context) string {
	if user := c.String("u"); user != "" {
		return user
	}
	return s.user
}
