package nearest

import "testing"

func TestWord(t *testing.T) {
	known := []string{"issuer", "profile", "days"}
	for meant, want := range map[string]string{"isuer": "issuer", "porfile": "profile", "day": "days", "owner": "", "": ""} {
		if got := Word(meant, known); got != want {
			t.Errorf("Word(%q) = %q, want %q", meant, got, want)
		}
	}
}
