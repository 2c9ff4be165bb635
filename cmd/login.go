package cmd

import (
	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keys"
	"keyward/restclient"
)

func (e *env) loginCommand() *cli.Command {
	return &cli.Command{
		Name: "login", Category: userKeys,
		Usage: "get a token, by password or with the key",
		Description: "Prints a token for the Authorization header, as `Bearer TOKEN` or `Bearer:TOKEN`. " +
			"A token that a key got can read; changing keys and passwords takes the password. " +
			"--revoke ends a token before its time: it is read from KEYWARD_TOKEN, else from stdin.",
		UsageText: "keyward login --with-key\n" +
			"curl -H \"Authorization: Bearer $(keyward login --with-key)\" --cacert ca.cert.pem $KEYWARD_URL/api/v3/project/1/project\n" +
			"keyward login --revoke <token-file",
		Flags: e.loginFlags(
			&cli.BoolFlag{Name: "with-key", Usage: "log in with the user key file's private key"},
			&cli.BoolFlag{Name: "revoke", Usage: "end the token in KEYWARD_TOKEN, else on stdin"},
			e.keyfileFlag(),
		),
		Action: e.loginAction,
	}
}

func (e *env) loginAction(c *cli.Context) error {
	if c.Bool("revoke") {
		return e.revoke(c)
	}
	if c.Bool("with-key") {
		return e.loginWithKey(c)
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.Close()
	return e.printToken(s.token)
}

func (e *env) loginWithKey(c *cli.Context) error {
	path, err := e.keyfile(c)
	if err != nil {
		return err
	}
	pair, err := keys.Load(c.Context, path)
	if err != nil {
		return err
	}
	conn, err := e.connectAs(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	token, err := e.keyLogin(c, conn, pair)
	if err != nil {
		return err
	}
	return e.printToken(token)
}

// keyLogin logs in with the pair, at a server whose key is known or is remembered now.
func (e *env) keyLogin(c *cli.Context, conn *connection, pair keys.Pair) (restclient.Token, error) {
	key, err := e.serverKey(c, conn)
	if err != nil {
		return restclient.Token{}, err
	}
	token, err := conn.LoginKey(c.Context, conn.server.User, pair, key)
	if err == nil && token.Handover != "" {
		err = e.followServerKey(c, conn, pair, key, token.Handover)
	}
	return token, err
}

func (e *env) revoke(c *cli.Context) error {
	if c.Bool("with-key") {
		return fault.New(fault.Usage, "take one of them", "--revoke and --with-key do not go together")
	}
	access := e.getenv("KEYWARD_TOKEN")
	if access == "" {
		line, err := e.stdinLine("--revoke")
		if err != nil {
			return err
		}
		access = line
	}
	client, err := e.connect(c)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Revoke(c.Context, restclient.Token{Access: access, Type: "Bearer"})
}

func (e *env) printToken(t restclient.Token) error {
	v := struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		Expires     string `json:"expires,omitempty"` // RFC 3339, UTC
	}{t.Access, t.Type, stamp(t.Expires)}
	return e.print(v, t.Access+"\n")
}
