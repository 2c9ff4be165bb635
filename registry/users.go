package registry

import (
	"errors"
	"fmt"
	"net/http"

	"keyward/internal/limit"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
)

// noUser tells an administrator that there is no such user; nobody else gets so far.
func noUser(name string) error {
	return refuse(http.StatusNotFound, wire.CodeNotFound,
		fmt.Sprintf("there is no user %.80q", name), "`keyward user list` shows the users")
}

func userThere(name string) error {
	return refuse(http.StatusConflict, wire.CodeExists,
		fmt.Sprintf("user %.80q is already there", name), "`keyward user list` shows the users")
}

func (s *Server) users(c *call) error {
	users, err := s.cfg.Store.Users(c.r.Context())
	if err != nil {
		return err
	}
	list := wire.Users{Users: make([]wire.User, len(users))}
	for i, u := range users {
		list.Users[i] = wireUser(u)
	}
	return c.answer(http.StatusOK, list)
}

func wireUser(u store.User) wire.User {
	return wire.User{Name: u.Name, Admin: u.Admin, Keys: u.Keys, Created: wire.Time(u.Created)}
}

func (s *Server) addUser(c *call) error {
	var in wire.NewUser
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := store.ValidName(in.Name); err != nil {
		return policy(err)
	}
	hash, err := s.hash(c, in.Password)
	if err != nil {
		return err
	}
	u := store.User{Name: in.Name, Admin: in.Admin, Password: hash, Created: s.cfg.Now()}
	act := s.act(c, audit.UserAdded)
	act.User = u.Name
	if u.Admin {
		act.Note = "administrator"
	}
	if err := s.cfg.Store.AddUser(c.r.Context(), u, act); err != nil {
		return instead(err, store.ErrExists, userThere(u.Name))
	}
	return c.answer(http.StatusCreated, wireUser(u))
}

// hash makes the hash of a new password, in its turn.
func (s *Server) hash(c *call, password string) (hash string, err error) {
	if err := CheckPassword(password); err != nil {
		return "", policy(err)
	}
	busy := s.hashing.do(c.r.Context(), limit.Source(c.r.RemoteAddr), func() { hash, err = HashPassword(password) })
	return hash, errors.Join(busy, err)
}

func (s *Server) setPassword(c *call) error {
	var in wire.NewPassword
	if err := c.decode(&in); err != nil {
		return err
	}
	hash, err := s.hash(c, in.Password)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.SetPassword(c.r.Context(), c.user, hash, s.act(c, audit.PasswordChanged)); err != nil {
		return instead(err, store.ErrNotFound, noUser(c.user))
	}
	s.passwordChanged(c.user)
	return c.done()
}

func (s *Server) passwordChanged(user string) {
	if s.cfg.PasswordChanged != nil {
		s.cfg.PasswordChanged(user)
	}
}

func (s *Server) deleteUser(c *call) error {
	err := s.cfg.Store.DeleteUser(c.r.Context(), c.user, s.act(c, audit.UserDeleted))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noUser(c.user)
	case errors.Is(err, store.ErrLastAdmin):
		return policy(store.ErrLastAdmin)
	case err != nil:
		return err
	}
	s.passwordChanged(c.user)
	return c.done()
}
