package cmd

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/term"
	"keyward/keys"
	"keyward/keys/seal"
)

const sealedSuffix = ".sealed"

func (e *env) sealCommand() *cli.Command {
	return &cli.Command{
		Name: "seal", Category: userKeys, ArgsUsage: "[FILE|-]",
		Usage: "encrypt a file or stream to another user",
		Description: "Encrypts FILE, or stdin, to all keys that the registry shows of the user -u, who opens it with `keyward open` and sees who sealed it. " +
			"The user's keys are held against those that were seen first, as with `getkey -u`: a key that came later is refused with exit code 8. " +
			"It logs in with the user key file's key, which is the one that the seal is made with. A file of any size takes little memory. " +
			"The file is written whole or not at all. The seal convinces the user alone: what it proves, and the format, is in docs/sealed-files.md. " +
			"With --json an object with file, from, to and the fingerprints of the keys.",
		UsageText: "keyward seal -u bob report.pdf\ntar -c project | keyward seal -u bob -o project.tar.sealed\nkeyward seal -u bob --offline - <report.pdf >report.pdf.sealed",
		Flags: e.sealFlags(
			&cli.StringFlag{Name: "u", Aliases: []string{"user"}, Usage: "seal to user `NAME`"},
			outputFlag("write to `FILE`, - is stdout", "FILE.sealed, or stdout for stdin"),
			&cli.BoolFlag{Name: "offline", EnvVars: variable("offline"), Usage: "ask no registry: take the keys that were trusted before"},
		),
		Action: e.sealFile,
	}
}

// sealFlags are those of seal and open.
func (e *env) sealFlags(more ...cli.Flag) []cli.Flag {
	more = append(more, forceFlag("replace a file that is there"), e.keyfileFlag(), asFlag())
	return append(more, e.serverFlags()...)
}

func outputFlag(usage, otherwise string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, EnvVars: variable("output"), TakesFile: true, Usage: usage, DefaultText: otherwise}
}

func (e *env) sealFile(c *cli.Context) error {
	user := c.String("u")
	if user == "" {
		return fault.New(fault.Usage, "name the user with -u", "it is not known whom to seal to")
	}
	p, err := e.pipe(c, func(in string) (string, error) { return in + sealedSuffix, nil })
	if err != nil {
		return err
	}
	from, to, err := e.sealEnds(c, user)
	if err != nil {
		return err
	}
	in, err := p.open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	err = p.write(c, 0o644, func(w io.Writer) error {
		sealing, err := seal.NewWriter(w, from, to)
		if err != nil {
			return err
		}
		if _, err := io.Copy(sealing, in); err != nil {
			return err
		}
		return sealing.Close()
	})
	if err != nil {
		return err
	}
	return e.printSealed(p, from, to)
}

// sealEnds are who seals and for whom.
func (e *env) sealEnds(c *cli.Context, user string) (from seal.Sender, to seal.Recipient, err error) {
	s, err := e.server(c)
	if err == nil {
		err = s.needUser()
	}
	if err != nil {
		return from, to, err
	}
	pair, err := e.ownPair(c)
	if err != nil {
		return from, to, err
	}
	list, err := e.keysOf(c, s, pair, user)
	return seal.Sender{Name: s.User, Pair: pair}, seal.Recipient{Name: user, Keys: list}, err
}

// keysOf are the keys of a user: those that the registry shows now, or with --offline the pinned ones.
func (e *env) keysOf(c *cli.Context, s server, pair keys.Pair, user string) ([]keys.PublicKey, error) {
	if err := directoryName(user); err != nil {
		return nil, err
	}
	if c.Bool("offline") {
		pinned, err := e.pinned(s, user)
		if err == nil && len(pinned) == 0 {
			err = fault.New(fault.NotFound, "leave out --offline, or run `keyward getkey -u "+user+"` first", "no key of %s was trusted before", user)
		}
		return pinned, err
	}
	session, err := e.keySession(c, pair)
	if err != nil {
		return nil, err
	}
	defer session.end(c)
	list, err := e.directory(c, session, user)
	return publicKeys(list), err
}

func (e *env) printSealed(p pipe, from seal.Sender, to seal.Recipient) error {
	if p.out == stdStream {
		return nil
	}
	e.note("wrote %s, sealed for %s", printable(p.out), to.Name)
	if !e.json {
		return nil
	}
	return e.print(struct {
		File string   `json:"file"`
		From string   `json:"from"`
		To   string   `json:"to"`
		Keys []string `json:"keys"` // fingerprints
	}{p.out, from.Name, to.Name, fingerprints(to.Keys)}, "")
}

// stdStream is the name of stdin, or stdout.
const stdStream = "-"

// pipe is what seal and open read and what they write.
type pipe struct {
	*env
	in, out string
}

// pipe finds the two names: the argument, else stdin; --output, else a name made from the file's, else stdout.
func (e *env) pipe(c *cli.Context, named func(in string) (string, error)) (p pipe, err error) {
	if c.NArg() > 1 {
		return p, fault.New(fault.Usage, "name one file, or none for stdin", "%s takes one file, and got %d", c.Command.Name, c.NArg())
	}
	p = pipe{e, cmp.Or(c.Args().First(), stdStream), c.String("output")}
	switch {
	case p.out != "" && os.IsPathSeparator(p.out[len(p.out)-1]):
		err = fault.New(fault.Usage, "name the file in it", "--output %s is a folder", p.out)
	case p.out != "":
	case p.in != stdStream:
		p.out, err = named(p.in)
	case term.IsTerminal(e.stdout):
		err = fault.New(fault.Usage, "redirect stdout, or name a file with --output; - is the terminal all the same", "stdout is a terminal")
	default:
		p.out = stdStream
	}
	if p.out == stdStream && e.json {
		err = fault.New(fault.Usage, "name a file with --output", "--json does not go with data on stdout")
	}
	return p, err
}

// open opens what is to be read.
func (p pipe) open() (io.ReadCloser, error) {
	if p.in == stdStream {
		return input{io.NopCloser(p.stdin)}, nil
	}
	f, err := os.Open(p.in)
	if err != nil {
		return nil, unreadable(err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close()
		return nil, fault.New(fault.InvalidFile, "pack it first: tar -c FOLDER | keyward ...", "%s is a folder", p.in)
	}
	return input{f}, nil
}

// input tells its own errors from those of where its data goes.
type input struct{ io.ReadCloser }

func (s input) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = unreadable(err)
	}
	return n, err
}

func unreadable(err error) error {
	return fault.New(kindOf(err), "name a file that can be read", "cannot read it: %w", err)
}

// write has do write to a file that is put in place when it is whole, or to stdout.
func (p pipe) write(c *cli.Context, mode fs.FileMode, do func(io.Writer) error) error {
	if p.out == stdStream {
		return do(p.stdout)
	}
	return putStream(c.Context, p.out, mode, c.Bool("force"), do)
}
