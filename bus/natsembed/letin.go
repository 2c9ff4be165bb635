package natsembed

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/fault"
)

// check is a function that says whether a client is let in.
type check func(server.ClientAuthentication) bool

// Check makes it a server.Authentication.
func (c check) Check(client server.ClientAuthentication) bool { return c(client) }

// letIn gives a client the permissions of its account, or logs why not. The server runs it in the client's own goroutine, for each
// CONNECT that it sends.
func (s *embedded) letIn(ctx context.Context, client server.ClientAuthentication) bool {
	log := s.Log.With("cid", client.GetID())
	if remote := client.RemoteAddress(); remote != nil {
		log = log.With("remote", remote.String())
	}
	var chain []*x509.Certificate
	if state := client.GetTLSConnectionState(); state != nil {
		chain = state.PeerCertificates
	}
	if len(chain) > 0 {
		log = log.With("subject", chain[0].Subject.String(), "serial", chain[0].SerialNumber.Text(16))
	}
	if client.Kind() != server.CLIENT {
		log.Warn("refused", "error", "only clients are let in")
		return false
	}
	start := time.Now()
	account, again, err := s.settle(ctx, client.GetID(), chain)
	s.Metrics.Answered(err, time.Since(start))
	if err != nil {
		log.Warn("refused", "error", err, "hint", fault.HintOf(err))
		return false
	}
	client.RegisterUser(&server.User{Username: string(account.Name), Permissions: permissions(account), ConnectionDeadline: chain[0].NotAfter})
	level := slog.LevelInfo
	if again { // so it fills no log
		level = slog.LevelDebug
	}
	log.Log(ctx, level, "let in", "account", account.Name, "revision", account.Revision)
	return true
}

// settle finds the account that a chain opens, and notes the connection; again says that it was noted already, by an earlier CONNECT.
// Where something changed meanwhile it looks again: whoever ends connections for that did not see this one.
func (s *embedded) settle(ctx context.Context, id uint64, chain []*x509.Certificate) (account bus.Account, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.AnswerTime)
	defer cancel()
	for {
		moment := s.table.moment()
		account, err := s.Authorizer.Authorize(ctx, chain, s.Now())
		if err != nil {
			return account, false, err
		}
		again, err = s.table.add(connection{id, account.Name, account.Revision, chain}, moment, s.gone)
		if !errors.Is(err, errOver) {
			return account, again, err
		}
	}
}

// gone says whether a connection has ended.
func (s *embedded) gone(c connection) bool { return s.nats.GetClient(c.id) == nil }

// changed ends the connections of accounts that are others by now. Of another store nothing is known, so all who are connected are asked again.
func (s *embedded) changed(accounts []bus.Account, anew bool) {
	if anew {
		s.end(s.table.all(), natsauth.AccountChanged, "the store is another")
	}
	for _, account := range accounts {
		s.end(s.table.changed(account), natsauth.AccountChanged, natsauth.ChangeOf(account))
	}
}

// reviews verifies the certificates of all who are connected, each time that is asked for.
func (s *embedded) reviews(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Review:
		}
		for _, c := range s.table.all() {
			if err := s.Authorizer.Verify(c.chain, s.Now()); err != nil {
				s.end([]connection{c}, natsauth.NotTrusted, err.Error())
			}
		}
	}
}

// end ends connections.
func (s *embedded) end(list []connection, end natsauth.End, why string) {
	for _, c := range list {
		s.table.remove(c)
		if err := s.nats.DisconnectClientByID(c.id); err == nil { // else it has ended by itself
			s.Metrics.Ended(end)
			s.Log.Info("disconnected", "cid", c.id, "account", c.account, "revision", c.revision, "cause", why)
		}
	}
}
