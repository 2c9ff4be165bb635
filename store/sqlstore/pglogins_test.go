package sqlstore

import (
	"errors"
	"testing"
	"time"

	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/store"
	"keyward/store/storetest"
)

// TestSameLoginFails holds that a login is told that it was granted, whatever becomes of another that is the same login.
func TestSameLoginFails(t *testing.T) {
	s, err := OpenPostgres(t.Context(), pgtest.Database(t), storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := store.Key{User: "ann", Public: keys.PublicKey{1}}
	act := storetest.Act("test")
	if err := errors.Join(s.AddUser(t.Context(), store.User{Name: "ann"}, act), s.AddKey(t.Context(), key, act)); err != nil {
		t.Fatal(err)
	}
	login := store.Login{ID: [32]byte{1}, Until: time.Unix(1, 0), From: "192.0.2.1"}
	token := store.Token{User: "ann", Key: key.Public.Fingerprint()}
	fails := grant{login, token}
	fails.login.From = "\x00"
	answers, err := s.engine.(*postgres).logInAll(t.Context(), []grant{{login, token}, fails})
	if err != nil || answers[0] != nil || answers[1] == nil {
		t.Errorf("%v, %v", answers, err)
	}
}
