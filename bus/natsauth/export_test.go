package natsauth

import (
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
)

// SetListPage has lists come in small pages, so that a test has several.
func (s *Service) SetListPage(n int) { s.listPage = n }

// CalloutLogin is how a Service logs in to answer.
func (k *Keys) CalloutLogin() nats.Option { return nats.Nkey(k.Public().Callout, k.callout.Sign) }

// The places where servers ask.
const (
	CalloutSubject = calloutSubject
	QueueGroup     = queueGroup
)

// Answers are several to one question: a refusal for each account that is nil.
func (k *Keys) Answers(m *nats.Msg, accounts ...*bus.Account) ([][]byte, error) {
	q, err := k.ask(m.Data, m.Header.Get(xkeyHeader), time.Now())
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, account := range accounts {
		data, err := k.refuse(q)
		if account != nil {
			data, err = k.admit(q, BusAccount, *account)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// Held is how many connections with an account are known.
func (s *Service) Held(account bus.Name) int {
	n, _ := s.connections.held(account, place{})
	return n
}
