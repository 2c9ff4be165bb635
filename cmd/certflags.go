package cmd

import (
	"github.com/urfave/cli/v2"

	"keyward/certs"
)

// The flags that the commands which make certificates and requests have in common.

func basenameFlag(role certs.Role, profile certs.Profile) cli.Flag {
	return &cli.StringFlag{
		Name: "cert-basename", EnvVars: variable("cert-basename"), TakesFile: true,
		Usage: "the files are `B`.key.pem and so on", DefaultText: defaultBasename(role, profile),
	}
}

func organizationFlag(otherwise string) cli.Flag {
	return &cli.StringFlag{Name: "subject-org-name", EnvVars: variable("subject-org-name"), Usage: "the subject's `ORGANIZATION`", DefaultText: otherwise}
}

func sanFlag(usage string) cli.Flag {
	return &cli.StringSliceFlag{Name: "san", EnvVars: variable("san"), Usage: usage}
}

func keyTypeFlag() cli.Flag {
	return &cli.StringFlag{Name: "key-type", EnvVars: variable("key-type"), Value: string(certs.P256), Usage: "its key: `" + joined(certs.KeyTypes()) + "`"}
}

// issuerFlags are those of the CA that signs a certificate.
func issuerFlags() []cli.Flag {
	return append(caFlags(),
		&cli.BoolFlag{Name: "clamp", EnvVars: variable("clamp"), Usage: "end with the issuer where the lifetime would be longer"})
}

// caFlags are those of the CA that signs whatever it is.
func caFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ca-certfile", EnvVars: variable("ca-certfile"), TakesFile: true, Usage: "the issuer's certificate, and those above it if any, in PEM `FILE`"},
		&cli.StringFlag{Name: "ca-keyfile", EnvVars: variable("ca-keyfile"), TakesFile: true, Usage: "the issuer's private key in PEM `FILE`"},
		caKeyPasswordFlag(),
		ledgerFlag("the issuer's"),
	}
}

func caKeyPasswordFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca-key-password-file", EnvVars: variable("ca-key-password-file"), TakesFile: true, Usage: "the password of an encrypted CA key is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"}
}

// profileFlags say what a certificate is for, and for how long.
func profileFlags(profile certs.Profile, days string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "profile", EnvVars: variable("profile"), Value: string(profile), Usage: "what it is for: `" + joined(certs.Profiles()) + "`"},
		&cli.StringFlag{Name: "days", EnvVars: variable("days"), Usage: "the `LIFETIME`: 90 or 90d, 12w, 1y, or the last day 2027-01-01", DefaultText: days},
		&cli.IntFlag{Name: "expiration-in-days", EnvVars: variable("expiration-in-days"), Usage: "the same in `DAYS`, as the Micronets scripts have it"},
	}
}

// keyPasswordFlags encrypt the private key that is made.
func keyPasswordFlags() []cli.Flag {
	return []cli.Flag{
		keyPasswordFlag("encrypt the new key with the first line of `FILE`, - is stdin", "a plain key"),
		encryptKeyFlag(),
	}
}

func encryptKeyFlag() cli.Flag {
	return &cli.BoolFlag{Name: "encrypt-key", EnvVars: variable("encrypt-key"), Usage: "encrypt the new key with a password that is asked for at the terminal"}
}

func keyPasswordFlag(usage, otherwise string) cli.Flag {
	return &cli.StringFlag{Name: "key-password-file", EnvVars: variable("key-password-file"), TakesFile: true, Usage: usage, DefaultText: otherwise}
}

func dryRunFlag(usage string) cli.Flag {
	return &cli.BoolFlag{Name: "dry-run", EnvVars: variable("dry-run"), Usage: usage}
}

func overwriteFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force-overwrite", Aliases: []string{"force", "f"}, Usage: "replace the files that are there"}
}
