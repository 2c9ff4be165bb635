package sqlstore_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"keyward/bus"
	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

const benchUsers = 1000

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// benchStore has 1,000 users with a key each.
func benchStore(b *testing.B) *sqlstore.Store {
	s := open(b, filepath.Join(b.TempDir(), "registry.db"))
	for n := range benchUsers {
		if err := s.AddUser(b.Context(), store.User{Name: userName(n), Password: "hash", Created: start}, storetest.Act("test")); err != nil {
			b.Fatal(err)
		}
		k := store.Key{User: userName(n), Public: number(uint64(n)), Description: "bench", Created: start}
		if err := s.AddKey(b.Context(), k, storetest.Act("test")); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func userName(n int) string { return fmt.Sprintf("user%04d", n%benchUsers) }

func number(n uint64) [32]byte { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, n)) }

// login makes the n-th login, 10,000 of them a second.
func login(n uint64) (store.Login, store.Token) {
	at := start.Add(time.Duration(n) * 100 * time.Microsecond)
	return store.Login{ID: number(2 * n), Until: at.Add(2 * time.Minute)},
		store.Token{Hash: number(2*n + 1), User: userName(int(n)), Key: keys.PublicKey(number(n % benchUsers)).Fingerprint(), Scopes: store.ScopeRead, Expires: at.Add(time.Hour)}
}

func BenchmarkAddLogin(b *testing.B) {
	for _, callers := range []int{2, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := benchStore(b)
			var n atomic.Uint64
			b.ReportAllocs()
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l, t := login(n.Add(1))
					if err := s.AddLogin(b.Context(), l, t); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
		})
	}
}

func BenchmarkKeys(b *testing.B) {
	s := benchStore(b)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := s.Keys(b.Context(), userName(n)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	s := benchStore(b)
	for n := range uint64(benchUsers) {
		l, t := login(n)
		if err := s.AddLogin(b.Context(), l, t); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for n := uint64(0); b.Loop(); n++ {
		_, t := login(n % benchUsers)
		if _, _, err := s.Token(b.Context(), t.Hash); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAccount is what a connect asks for, and BenchmarkAccountChanges what each authorizer asks for all the time: neither
// may depend on how many accounts there are.
func BenchmarkAccount(b *testing.B) {
	benchAccounts(b, func(s *sqlstore.Store, n, accounts int) error {
		_, err := s.Account(b.Context(), bus.Name(fmt.Sprint("account", n*7919%accounts)))
		return err
	})
}

func BenchmarkAccountChanges(b *testing.B) {
	for what, since := range map[string]int64{"none": math.MaxInt64, "first": 0} {
		b.Run(what, func(b *testing.B) {
			benchAccounts(b, func(s *sqlstore.Store, _, _ int) error {
				_, _, err := s.AccountChanges(b.Context(), since, 10)
				return err
			})
		})
	}
}

func benchAccounts(b *testing.B, do func(s *sqlstore.Store, n, accounts int) error) {
	for kind, open := range map[string]func() *sqlstore.Store{
		"sqlite":   func() *sqlstore.Store { return open(b, filepath.Join(b.TempDir(), "registry.db")) },
		"postgres": func() *sqlstore.Store { return openPostgres(b, pgtest.Database(b)) },
	} {
		for _, accounts := range []int{100, 100_000} {
			s := open()
			if err := s.Import(b.Context(), accountRows(accounts), storetest.Act("test")); err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(kind, "/accounts=", accounts), func(b *testing.B) {
				for n := 0; b.Loop(); n++ {
					if err := do(s, n, accounts); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func accountRows(accounts int) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for n := range accounts {
			name := bus.Name(fmt.Sprint("account", n))
			a := bus.Account{
				Name: name, State: bus.Active, Revision: uint64(n + 1), Identities: []string{"spiffe://example.org/bus/account/" + string(name)},
				Roles: []bus.Role{{Kind: bus.Emitter, Name: name}, {Kind: bus.Service, Name: "echo", Subjects: []bus.Pattern{"echo.>"}}},
			}
			if !yield(store.Row{Account: &a}, nil) {
				return
			}
		}
	}
}
