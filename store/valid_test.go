package store_test

import (
	"errors"
	"strings"
	"testing"

	"keyward/fault"
	"keyward/store"
)

func TestValidName(t *testing.T) {
	good := []string{"a", "admin", "Ann.Lee", "_x", "0", "a-b", "a.", strings.Repeat("n", 64)}
	bad := []string{"", ".", "..", ".a", "-a", "a b", "a/b", "a\n", "a\x00", "ä", "a@b", "\xff", strings.Repeat("n", 65)}
	for _, name := range good {
		if err := store.ValidName(name); err != nil {
			t.Errorf("ValidName(%q) = %v", name, err)
		}
	}
	for _, name := range bad {
		if err := store.ValidName(name); !errors.Is(err, fault.Policy) {
			t.Errorf("ValidName(%q) = %v, want a fault.Policy", name, err)
		}
	}
}

func TestValidDescription(t *testing.T) {
	good := []string{"", "Backup key", "Schlüssel 🔑", strings.Repeat("d", 256)}
	bad := []string{"two\nlines", "\r", "tab\t", "\x00", "\x7f", "\u0085", "\u2028", "\xff", strings.Repeat("d", 257)}
	for _, s := range good {
		if err := store.ValidDescription(s); err != nil {
			t.Errorf("ValidDescription(%q) = %v", s, err)
		}
	}
	for _, s := range bad {
		if err := store.ValidDescription(s); !errors.Is(err, fault.Policy) {
			t.Errorf("ValidDescription(%q) = %v, want a fault.Policy", s, err)
		}
	}
}
