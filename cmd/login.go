package cmd

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
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
	user, err := caller(c)
	if err != nil {
		return err
	}
	path, err := e.keyfile(c)
	if err != nil {
		return err
	}
	pair, err := keys.Load(c.Context, path)
	if err != nil {
		return err
	}
	client, err := e.connect(c)
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := e.serverKey(c, client)
	if err != nil {
		return err
	}
	token, err := client.LoginKey(c.Context, user, pair, server)
	if err != nil {
		return err
	}
	return e.printToken(token)
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

// end revokes a token that served its one command, and closes the client. What
// was asked for is done by then: a token that stays ends by itself in minutes.
func (s *session) end(c *cli.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), 5*time.Second)
	defer cancel()
	_ = s.Revoke(ctx, s.token)
	s.Close()
}
