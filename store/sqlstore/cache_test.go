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

// TestCacheWhileImporting sees that nothing is kept from before the commit of another process's import until after it, and
// from there on where that process was killed in between.
func TestCacheWhileImporting(t *testing.T) {
	s := opened(t)
	other := &keyCache{imported: s.cache.imported}
	kept := func() bool {
		t.Helper()
		if _, err := s.Keys(t.Context(), "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		_, found, _ := s.cache.get("ann")
		return found
	}
	for range 2 {
		if !kept() {
			t.Error("it is not kept")
		}
		end, err := other.beginImport()
		if err != nil {
			t.Fatal(err)
		}
		if kept() {
			t.Error("it is kept during an import")
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if _, found, _ := s.cache.get("ann"); found {
			t.Error("it is kept from before an import")
		}
	}
}
