package cmd

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/term"
	"keyward/keyexchange"
)

func (e *env) keyexchangeFetchCommand() *cli.Command {
	return &cli.Command{
		Name: "fetch", ArgsUsage: "HOST:PORT",
		Usage: "get the keys from an exchange, keyward's or napalm-logs' own",
		Description: "Prints the keys that open messages as one line of JSON: {\"box\":\"...\",\"verify\":\"...\"}, the SecretBox key and the Ed25519 public key, each 64 hexadecimal digits. " +
			"The first is secret: who has it reads all messages. So it is not written to a terminal, unless --out - says so; --out FILE stores it for its owner alone. " +
			"With --cert the server is trusted by that certificate or root, and by no name unless --server-name demands one, as the original's clients have it. Without --cert the system's roots count, and the name does. " +
			"With --watch it stays connected until it is interrupted, prints a line, or puts it in the place of the file, each time the keys are others, and connects again whenever the connection ends.",
		UsageText: "keyward keyexchange fetch --cert exchange.cert.pem logs.example.org:49018 | jq -r .verify\n" +
			"keyward keyexchange fetch --cert exchange.cert.pem --watch --out keys.json logs.example.org:49018",
		Flags: slices.Concat(exchangeClientFlags(), []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, EnvVars: variable("out"), TakesFile: true, Usage: "store the keys in `FILE`, - is stdout", DefaultText: "stdout, unless it is a terminal"},
			&cli.BoolFlag{Name: "watch", EnvVars: variable("watch"), Usage: "stay connected, and tell each change of the keys"},
			forceFlag("replace the file that is there"), e.quietFlag(), e.jsonFlag(),
		}),
		Action: e.keyexchangeFetch,
	}
}

// fetchedKeys is what is printed or stored.
type fetchedKeys struct {
	Box    string `json:"box"`
	Verify string `json:"verify"`
}

// fetcher is one run of fetch.
type fetcher struct {
	*env
	out     string
	replace bool // what is there
}

func (e *env) keyexchangeFetch(c *cli.Context) error {
	if c.NArg() != 1 {
		return fault.New(fault.Usage, "give it as HOST:PORT; the port of napalm-logs is 49018", "one argument is needed, the exchange's address")
	}
	f := &fetcher{env: e, out: c.String("out"), replace: c.Bool("force")}
	if f.out == "" && term.IsTerminal(e.stdout) {
		return fault.New(fault.Usage, "name a file with --out, or redirect stdout; --out - is the terminal all the same", "stdout is a terminal, and the keys are secret")
	}
	client, err := e.exchangeClient(c, c.Args().First())
	if err != nil {
		return err
	}
	if c.Bool("watch") {
		return f.watch(c.Context, client)
	}
	keys, err := client.Fetch(c.Context)
	if err != nil {
		return err
	}
	return f.put(c.Context, keys)
}

// watch puts the keys each time they are others, until a signal.
func (f *fetcher) watch(ctx context.Context, client *keyexchange.Client) error {
	asked, stop := untilSignal(ctx)
	defer stop()
	ctx, end := context.WithCancelCause(asked)
	defer end(nil)
	err := client.Watch(ctx, func(keys keyexchange.OpenKeys) {
		if err := f.put(ctx, keys); err != nil {
			end(err)
		}
		f.replace = true // it is ours from now on
	})
	if asked.Err() == nil {
		err = cmp.Or(context.Cause(ctx), err)
	}
	return err
}

// put prints or stores keys.
func (f *fetcher) put(ctx context.Context, keys keyexchange.OpenKeys) error {
	line, err := json.Marshal(fetchedKeys{hex.EncodeToString(keys.Box[:]), keys.Verify.String()})
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if f.out == "" || f.out == stdStream {
		_, err := f.stdout.Write(line)
		return err
	}
	name := filepath.Base(f.out)
	_, err = f.overwriting(f.replace, f.out, func(replace bool) (string, error) {
		return "", durable.Put(ctx, filepath.Dir(f.out), name, []durable.File{{Name: name, Data: line, Mode: 0o600}}, replace)
	})
	if err == nil {
		f.note("wrote %s, with the keys of %s", f.out, keys.Verify)
	}
	return err
}
