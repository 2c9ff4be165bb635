package cmd

import (
	"slices"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/certs"
	"keyward/fault"
)

// accountFlags make a certificate open an account of the bus.
func accountFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "account", Usage: "open the `ACCOUNT` of the bus with it: its one URI is spiffe://TRUST-DOMAIN/bus/account/ACCOUNT"},
		trustDomainFlag("the bus takes certificates of this `TRUST-DOMAIN`, such as example.org"),
	}
}

func trustDomainFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "trust-domain", EnvVars: variable("trust-domain"), Usage: usage}
}

// certNames are those of --san, and of --account. A bus takes no certificate with two URIs.
func (e *env) certNames(c *cli.Context) ([]string, error) {
	sans := c.StringSlice("san")
	switch {
	case c.String("account") != "":
	case e.call.given["account"]:
		return nil, fault.New(fault.Usage, "name the account, or leave out --account", "--account is empty")
	case e.call.given["trust-domain"]:
		return nil, fault.New(fault.Usage, "name the account with --account", "--trust-domain without --account says nothing")
	default:
		return sans, nil
	}
	identity, err := e.identityOf(c, bus.Name(c.String("account")))
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(sans, func(name string) bool { return certs.IsURI(name) && name != identity }); i >= 0 {
		return nil, fault.New(fault.Policy, "make a certificate of its own for "+sans[i], "--account and --san %s do not go together: a bus refuses a certificate with two URIs", sans[i])
	}
	return append(slices.Clone(sans), identity), nil
}

// identityOf is the URI of an account in the trust domain that the caller names.
func (e *env) identityOf(c *cli.Context, account bus.Name) (string, error) {
	domain := c.String("trust-domain")
	if domain == "" {
		return "", fault.New(fault.Usage, "give --trust-domain, such as example.org, or set KEYWARD_TRUST_DOMAIN", "nobody said in which trust domain %.80q is", string(account))
	}
	return bus.Identity(domain, account)
}

// certProfile is what the certificate is for: that of an account is a client's where nothing else is said.
func (e *env) certProfile(c *cli.Context) (certs.Profile, error) {
	account := c.String("account") != ""
	if account && !c.IsSet("profile") {
		return certs.Client, nil
	}
	profile, err := certs.ParseProfile(c.String("profile"))
	if err == nil && account && profile == certs.Server {
		err = fault.New(fault.Usage, "leave out --profile, or use client or peer", "--account and --profile server do not go together: on the bus an account is a client")
	}
	return profile, err
}
