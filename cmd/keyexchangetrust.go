package cmd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"keyward/internal/secretfile"
	"keyward/keyexchange"
)

// exchangeTrust is who gets the keys: whom the rules allow, and of those who show a certificate whom the CA signed and did not
// revoke. Its files are read by one goroutine.
type exchangeTrust struct {
	clientCA        // without a file nobody is asked for a certificate
	required bool   // a certificate is
	rules    string // a file; "" allows all
	allowed  atomic.Pointer[keyexchange.Access]
}

func (e *env) exchangeTrust(c *cli.Context, log *slog.Logger) *exchangeTrust {
	t := &exchangeTrust{
		clientCA: clientCA{log: log, now: e.now, flag: "client-ca", whom: "clients", file: c.String("client-ca"), crls: c.StringSlice("crl")},
		required: c.Bool("require-client-cert"), rules: c.String("allow"),
	}
	t.held.Store(new(authority)) // of nobody, where there is no file
	return t
}

// sources are the files that it comes from.
func (t *exchangeTrust) sources() []*followed {
	var all []*followed
	if t.file != "" {
		all = append(all, t.source())
	}
	if t.rules != "" {
		all = append(all, &followed{what: "rules", names: []string{t.rules}, read: t.readRules})
	}
	return all
}

// review has the server look again at all who have keys.
func (t *exchangeTrust) review(server *keyexchange.Server) {
	if t.due() {
		server.Review()
	}
}

func (t *exchangeTrust) readRules(context.Context) error {
	text, _, err := secretfile.Read(t.rules, maxRules)
	if err != nil {
		return err
	}
	rules, err := keyexchange.ParseAccess(t.rules, text)
	if err != nil {
		return err
	}
	t.allowed.Store(rules)
	t.changed = true
	t.log.Info("rules", "file", t.rules, "rules", rules.Len())
	t.warnRules(rules)
	return nil
}

// warnRules tells of rules that do not do what they seem to.
func (t *exchangeTrust) warnRules(rules *keyexchange.Access) {
	some, deny := rules.NeedsCertificates()
	switch {
	case rules.Len() == 0:
		t.log.Warn("there is no rule: nobody gets the keys", "file", t.rules)
	case some && t.file == "":
		t.log.Warn("rules name certificates, and nobody is asked for one", "file", t.rules, "hint", "give --client-ca the CA that signs the clients")
	case deny && !t.required:
		t.log.Warn("a rule denies by certificate, and who has that one may come without", "file", t.rules, "hint", "deny by address, or give --require-client-cert")
	}
}

// permit tells why a client may not have the keys. It is asked again about those who have them: a certificate ends, or is revoked.
func (t *exchangeTrust) permit(who keyexchange.Visitor) error {
	if who.Certificate != nil {
		if err := t.trusted(who.Certificate, slices.Concat(who.Chains...)); err != nil {
			return err
		}
	}
	if rules := t.allowed.Load(); rules != nil {
		return rules.Permit(who)
	}
	return nil
}

func (t *exchangeTrust) tlsConfig(shown *identity) *tls.Config {
	config := shown.tlsConfig()
	switch {
	case t.required:
		t.ask(config, tls.RequireAndVerifyClientCert)
	case t.file != "":
		t.ask(config, tls.VerifyClientCertIfGiven)
	}
	return config
}

// warnOpen tells that anybody who reaches the port gets the keys.
func (t *exchangeTrust) warnOpen(address net.Addr) {
	tcp, ok := address.(*net.TCPAddr)
	if t.rules != "" || t.required || ok && tcp.IP.IsLoopback() {
		return
	}
	t.log.Warn("whoever reaches the port gets the keys, as from the original", "address", address.String(),
		"hint", "give --allow a file of rules, or --client-ca and --require-client-cert where no client is an original one")
}
