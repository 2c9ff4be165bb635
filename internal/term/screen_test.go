package term

import "testing"

func TestFitted(t *testing.T) {
	tests := []struct {
		text          string
		width, height int
		want          string
	}{
		{"", 80, 24, clearLine},
		{"a\nb\n", 80, 24, "a" + clearLine + "\r\nb" + clearLine},
		{"äöü\nb\nc\n", 2, 2, "äö" + clearLine + "\r\nb" + clearLine},
		{"a\n", 1, 1, "a" + clearLine},
	}
	for _, tt := range tests {
		if got := fitted(tt.text, tt.width, tt.height); got != tt.want {
			t.Errorf("%q in %dx%d: %q", tt.text, tt.width, tt.height, got)
		}
	}
}
