package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keys"
	"keyward/keys/seal"
)

func (e *env) openCommand() *cli.Command {
	return &cli.Command{
		Name: "open", Category: userKeys, ArgsUsage: "[FILE|-]",
		Usage: "decrypt a file that another user sealed, and tell who did",
		Description: "Opens FILE, or stdin, with the user key file's key, and holds the key that sealed it against the sender's: those that were trusted before, else those that the registry shows. " +
			"A seal that is not the sender's is refused with exit code 8, one that --from does not name as well, and a file for another user than --as. No registry is asked where the key was trusted before; `getkey -u SENDER` asks. " +
			"A file is written only when all is verified. To stdout each 64 KiB are written once they are verified: " +
			"of a sealed file that is damaged or cut off, what came before that place, and then exit code 11. " +
			"With --json an object with file, from, key, fingerprint and to.",
		UsageText: "keyward open report.pdf.sealed\nkeyward open --from alice report.pdf.sealed -o report.pdf\nkeyward open --from alice <project.tar.sealed | tar -x",
		Flags: e.sealFlags(
			&cli.StringFlag{Name: "from", EnvVars: variable("from"), Usage: "it must be sealed by user `NAME`", DefaultText: "anybody in the registry"},
			outputFlag("write to `FILE`, - is stdout", "FILE without .sealed, or stdout for stdin"),
			&cli.BoolFlag{Name: "offline", EnvVars: variable("offline"), Usage: "ask no registry: the sender's key must have been trusted before"},
		),
		Action: e.openFile,
	}
}

func (e *env) openFile(c *cli.Context) error {
	p, err := e.pipe(c, func(in string) (string, error) {
		if out, found := strings.CutSuffix(in, sealedSuffix); found && filepath.Base(in) != sealedSuffix {
			return out, nil
		}
		if _, err := os.Stat(in); err != nil {
			return "", unreadable(err)
		}
		return "", fault.New(fault.Usage, "name a file with --output, or - for stdout", "%s is no name that ends with %s", in, sealedSuffix)
	})
	if err != nil {
		return err
	}
	s, err := e.server(c)
	if err != nil {
		return err
	}
	pair, err := e.ownPair(c)
	if err != nil {
		return err
	}
	in, err := p.open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	opening, err := seal.NewReader(in, pair)
	if err != nil {
		return err
	}
	if err := checkRecipient(s, opening.Header); err != nil {
		return err
	}
	if err := e.checkSender(c, s, pair, opening.Header); err != nil {
		return err
	}
	err = p.write(c, 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, opening)
		return err
	})
	if err != nil && p.out == stdStream {
		return fault.New(kindOf(err), fault.HintOf(err), "%w; what is on stdout is not all of it", err)
	}
	if err != nil {
		return err
	}
	return e.printOpened(p, opening.Header)
}

// checkRecipient refuses a file for somebody else, whom the registry showed the caller's key of: anybody can register it, and
// pass on what was sealed for them as if it were for the caller.
func checkRecipient(s server, h seal.Header) error {
	if s.User == "" || s.User == h.To {
		return nil
	}
	return fault.New(fault.NotTrusted, "give --as with your own name there; if it was right, "+h.To+" has registered your key and passes on what they got",
		"the file is sealed for %s, not for %s", h.To, s.User)
}

// checkSender holds the key that sealed a file against those of the user that it names.
func (e *env) checkSender(c *cli.Context, s server, pair keys.Pair, h seal.Header) error {
	if from := c.String("from"); from != "" && from != h.From {
		return fault.New(fault.NotTrusted, "ask for one that "+from+" sealed, or leave out --from", "the file is sealed by %s, not by %s", h.From, from)
	}
	pinned, err := e.pinned(s, h.From)
	if err != nil || slices.Contains(pinned, h.FromKey) {
		return err
	}
	if c.Bool("offline") {
		return fault.New(fault.NotTrusted, fmt.Sprintf("leave out --offline, or run `keyward getkey -u %s` first", h.From),
			"no key of %s that was trusted before sealed the file, but %s", h.From, h.FromKey.Fingerprint())
	}
	shown, err := e.keysOf(c, s, pair, h.From)
	if err != nil || slices.Contains(shown, h.FromKey) {
		return err
	}
	return fault.New(fault.NotTrusted, "ask "+h.From+" whether that key was theirs; somebody else may have sealed it",
		"the file is sealed by %s, which is none of the keys that the registry shows of %s", h.FromKey.Fingerprint(), h.From)
}

func (e *env) printOpened(p pipe, h seal.Header) error {
	if p.out != stdStream {
		e.note("wrote %s", printable(p.out))
	}
	e.note("sealed by %s for %s, with the key %s", h.From, h.To, h.FromKey.Fingerprint())
	if !e.json {
		return nil
	}
	return e.print(struct {
		File        string `json:"file"`
		From        string `json:"from"`
		Key         string `json:"key"`
		Fingerprint string `json:"fingerprint"`
		To          string `json:"to"`
	}{p.out, h.From, h.FromKey.String(), h.FromKey.Fingerprint(), h.To}, "")
}
