package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"keyward/bus"
	"keyward/fault"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
)

func noAccount(name bus.Name) error {
	return refuse(http.StatusNotFound, wire.CodeNotFound,
		fmt.Sprintf("there is no account %.80q", string(name)), "`keyward bus account list` shows the accounts")
}

func accountThere(name bus.Name) error {
	return refuse(http.StatusConflict, wire.CodeExists,
		fmt.Sprintf("account %.80q is already there, or is in another case", string(name)), "`keyward bus account list` shows the accounts")
}

func accountChanged(name bus.Name) error {
	return refuse(http.StatusConflict, wire.CodeChanged,
		fmt.Sprintf("account %.80q was changed meanwhile", string(name)), fault.HintOf(store.ErrChanged))
}

func accountRevoked(name bus.Name) error {
	return refuse(http.StatusUnprocessableEntity, wire.CodePolicy,
		fmt.Sprintf("account %.80q is revoked", string(name)), fault.HintOf(store.ErrRevoked))
}

// accounts streams a wire.Accounts.
func (s *Server) accounts(c *call) error {
	as := func(a bus.Account) bus.Account { return a }
	return stream(c, `{"accounts":[`, s.allAccounts(c.r.Context()), as)
}

// accountPage is how many accounts are read at a time.
const accountPage = 100

// allAccounts are the accounts by name. An error ends them.
func (s *Server) allAccounts(ctx context.Context) iter.Seq2[bus.Account, error] {
	return func(yield func(bus.Account, error) bool) {
		for after, more := bus.Name(""), true; more; {
			page, err := s.cfg.Store.Accounts(ctx, after, accountPage)
			if err != nil {
				yield(bus.Account{}, err)
				return
			}
			for _, a := range page {
				if !yield(a, nil) {
					return
				}
				after = a.Name
			}
			more = len(page) == accountPage
		}
	}
}

// account is the {account} of the path.
func (c *call) account() bus.Name { return bus.Name(c.r.PathValue("account")) }

func (s *Server) account(c *call) error {
	a, err := s.cfg.Store.Account(c.r.Context(), c.account())
	if err != nil {
		return instead(err, store.ErrNotFound, noAccount(c.account()))
	}
	return c.answer(http.StatusOK, a)
}

func (s *Server) addAccount(c *call) error {
	var in wire.NewAccount
	if err := c.decode(&in); err != nil {
		return err
	}
	a := bus.Account{Name: in.Name, Roles: in.Roles, Publish: in.Publish, Subscribe: in.Subscribe, Identities: in.Identities}
	return s.changeAccount(c, http.StatusCreated, a, audit.AccountAdded, s.cfg.Store.AddAccount)
}

func (s *Server) updateAccount(c *call) error {
	var in wire.AccountChange
	if err := c.decode(&in); err != nil {
		return err
	}
	a := bus.Account{
		Name: c.account(), Revision: in.Revision,
		Roles: in.Roles, Publish: in.Publish, Subscribe: in.Subscribe, Identities: in.Identities,
	}
	return s.changeAccount(c, http.StatusOK, a, audit.AccountUpdated, s.cfg.Store.UpdateAccount)
}

// changeAccount does to an account what is asked for, and answers with what it then is.
func (s *Server) changeAccount(c *call, status int, a bus.Account, what audit.What, change func(context.Context, bus.Account, audit.Act) (bus.Account, error)) error {
	a.State = bus.Active
	if err := store.ValidAccount(a); err != nil {
		return policy(err)
	}
	act := s.act(c, what)
	act.Account, act.Note = string(a.Name), inShort(a)
	changed, err := change(c.r.Context(), a, act)
	switch {
	case errors.Is(err, store.ErrExists):
		return accountThere(a.Name)
	case errors.Is(err, store.ErrNotFound):
		return noAccount(a.Name)
	case errors.Is(err, store.ErrChanged):
		return accountChanged(a.Name)
	case errors.Is(err, store.ErrRevoked):
		return accountRevoked(a.Name)
	case err != nil:
		return err
	}
	return c.answer(status, changed)
}

// inShort is an account for the audit log, which cuts it: what opens it, then what it may do.
func inShort(a bus.Account) string {
	words := slices.Clone(a.Identities)
	for _, r := range a.Roles {
		word := string(r.Kind) + " " + string(r.Name)
		if len(r.Subjects) > 0 {
			word += "=" + inOne(r.Subjects)
		}
		if r.Stock {
			word += " with stock replies"
		}
		words = append(words, word)
	}
	if len(a.Publish) > 0 {
		words = append(words, "publish "+inOne(a.Publish))
	}
	if len(a.Subscribe) > 0 {
		words = append(words, "subscribe "+inOne(a.Subscribe))
	}
	return strings.Join(words, ", ")
}

// inOne is a list as the flags of a command take it.
func inOne(patterns []bus.Pattern) string {
	words := make([]string, len(patterns))
	for i, p := range patterns {
		words[i] = string(p)
	}
	return strings.Join(words, ",")
}

// revokeAccount ends what the account's certificates open.
func (s *Server) revokeAccount(c *call) error {
	act := s.act(c, audit.AccountRevoked)
	act.Account = string(c.account())
	if err := s.cfg.Store.RevokeAccount(c.r.Context(), c.account(), act); err != nil {
		return instead(err, store.ErrNotFound, noAccount(c.account()))
	}
	return c.done()
}
