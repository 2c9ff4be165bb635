package cmd

import (
	"context"
	"crypto/tls"
	"slices"
	"sync/atomic"

	"keyward/internal/secretfile"
	"keyward/relay"
)

// maxRules is how many bytes of a file of rules are read.
const maxRules = 1 << 20

// relayTrust is who may come to the relay: whom the CA signed and did not revoke, and whom the rules allow. Its files are
// read by one goroutine.
type relayTrust struct {
	clientCA
	rules   string // a file; "" allows all
	allowed atomic.Pointer[relay.Rules]
}

// sources are the files that it comes from.
func (t *relayTrust) sources() []*followed {
	all := []*followed{t.source()}
	if t.rules != "" {
		all = append(all, &followed{what: "rules", names: []string{t.rules}, read: t.readRules})
	}
	return all
}

// review has the relay look again at all who are there.
func (t *relayTrust) review(server *relay.Server) {
	if t.due() {
		server.Review()
	}
}

func (t *relayTrust) readRules(context.Context) error {
	text, _, err := secretfile.Read(t.rules, maxRules)
	if err != nil {
		return err
	}
	rules, err := relay.ParseRules(t.rules, text)
	if err != nil {
		return err
	}
	t.allowed.Store(rules)
	t.changed = true
	t.log.Info("rules", "file", t.rules, "rules", rules.Len())
	if rules.Len() == 0 {
		t.log.Warn("there is no rule: nobody may come", "file", t.rules)
	}
	return nil
}

// permit tells whether a peer may come, or may meet another. It is asked again about those who are here: a certificate ends, or is revoked.
func (t *relayTrust) permit(who relay.Visitor, mate *relay.Visitor) error {
	if err := t.trusted(who.Certificate, slices.Concat(who.Chains...)); err != nil {
		return err
	}
	if rules := t.allowed.Load(); rules != nil {
		return rules.Permit(who, mate)
	}
	return nil
}

// tlsConfig asks each peer for a certificate of the CA as it is by then.
func (t *relayTrust) tlsConfig(shown *identity) *tls.Config {
	config := shown.tlsConfig()
	config.NextProtos = []string{"http/1.1"} // a websocket begins with an upgrade, which HTTP/2 has not
	t.ask(config, tls.RequireAndVerifyClientCert)
	return config
}
