package cmd

import (
	"github.com/urfave/cli/v2"
)

func (e *env) getserverkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "getserverkey", Category: userKeys,
		Usage: "print the registry's public key",
		Description: "Prints one line and nothing else; it needs no login. The key is remembered when it is first seen, and a change is refused. " +
			"While the registry replaces it, it is the one that is remembered; a login with the key then remembers the new one.",
		UsageText: "keyward getserverkey --url https://mercury:9100",
		Flags:     e.serverFlags(),
		Action:    e.getserverkey,
	}
}

func (e *env) getserverkey(c *cli.Context) error {
	client, err := e.connect(c)
	if err != nil {
		return err
	}
	defer client.Close()
	key, err := e.serverKey(c, client)
	if err != nil {
		return err
	}
	v := struct {
		PublicKey   string `json:"public_key"`
		Fingerprint string `json:"fingerprint"`
	}{key.String(), key.Fingerprint()}
	return e.print(v, key.String()+"\n")
}
