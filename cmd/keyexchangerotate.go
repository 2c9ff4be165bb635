package cmd

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keyexchange"
)

func (e *env) keyexchangeRotateCommand() *cli.Command {
	return &cli.Command{
		Name: "rotate", Usage: "make new exchange keys, which hold from a moment on",
		Description: "Writes new keys into the file of the exchange keys, with the moment from which they seal. It waits for nothing: " +
			"whoever runs with this file looks at it each second, and all change over at that moment. `serve` sends its clients away then, and they fetch the new keys. " +
			"What was sealed before opens with the old keys, which who has the file knows for the --overlap longer. " +
			"--in leaves time for two looks at the file and for a clock that is a little off; where the file is copied to other machines, give the copy time to get there. " +
			"While a change is still to come there is no other: that is exit code 3. " +
			"It has to run as the user of the service, who alone may read the file: even root is refused.",
		UsageText: "keyward keyexchange rotate\nkeyward keyexchange rotate --exchange-keys /var/lib/keyward-keyexchange/keys --in 1m --overlap 1h --json",
		Flags: append(exchangeKeysFlags(),
			&cli.DurationFlag{Name: "in", EnvVars: variable("in"), Value: 5 * time.Second, Usage: "the new keys seal after this `TIME`"},
			&cli.DurationFlag{Name: "overlap", EnvVars: variable("overlap"), Value: 10 * time.Minute, Usage: "the old keys are known for this `TIME` longer"},
			e.quietFlag(), e.jsonFlag()),
		Action: e.keyexchangeRotate,
	}
}

// rotatedExchange is what rotate prints with --json.
type rotatedExchange struct {
	File      string    `json:"file"`
	Verify    string    `json:"verify"`
	From      time.Time `json:"from"`
	OldVerify string    `json:"old_verify"`
	OldUntil  time.Time `json:"old_until"`
}

func (e *env) keyexchangeRotate(c *cli.Context) error {
	path, err := e.exchangeKeysPath(c)
	if err != nil {
		return err
	}
	if c.Duration("in") < 0 || c.Duration("overlap") < 0 {
		return fault.New(fault.Usage, "give --in as 5s and --overlap as 10m, or leave them out", "keys cannot change in the past")
	}
	var now time.Time
	ring, err := keyexchange.Update(c.Context, path, e.unlockExchangeKeys(c, path), func(r *keyexchange.Ring) (*keyexchange.Ring, error) {
		now = e.now() // under the lock, which may have taken a while
		return r.Rotate(now, now.Add(c.Duration("in")), c.Duration("overlap"))
	})
	if err != nil {
		return err
	}
	next := ring.Known(now)[0]
	old := ring.At(next.From.Add(-time.Second))
	done := rotatedExchange{path, next.Verify.String(), next.From, old.Verify.String(), old.Until}
	e.note("the new keys seal from %s on; the old ones are known until %s", stamp(done.From), stamp(done.OldUntil))
	return e.print(done, fmt.Sprintf("%s %s\n", stamp(done.From), done.Verify))
}
