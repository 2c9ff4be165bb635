package sqlstore

import (
	"errors"
	"strings"
	"testing"

	"keyward/store"
	"keyward/store/storetest"
)

// TestCacheUnknown sees that a name without a user is read once, as a user's keys are, until the
// user is added, and again once the user is deleted.
func TestCacheUnknown(t *testing.T) {
	s := opened(t)
	for range 2 {
		if list, err := s.Keys(t.Context(), "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("nobody's keys: %v, %v", list, err)
		}
		if _, found, _ := s.cache.get("ann"); !found {
			t.Fatal("it is not kept that there is no such user")
		}
		if err := s.AddUser(t.Context(), store.User{Name: "ann"}, storetest.Act("test")); err != nil {
			t.Fatal(err)
		}
		for range 2 { // read, then kept
			if list, err := s.Keys(t.Context(), "ann"); err != nil || list == nil || len(list) != 0 {
				t.Fatalf("a new user's keys: %v, %v", list, err)
			}
		}
		if err := s.DeleteUser(t.Context(), "ann", storetest.Act("test")); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("x", 1<<20)
	if _, err := s.Keys(t.Context(), long); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a name that nobody can have: %v", err)
	}
	if _, found, _ := s.cache.get(long); found {
		t.Error("a name of any length is kept")
	}
}
