package restclient

import (
	"errors"
	"strings"
	"testing"

	"keyward/fault"
)

func TestParseURL(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"https://mercury:9100", "https://mercury:9100"},
		{"http://mercury:6444/project", "http://mercury:6444"},
		{"https://mercury:9100/", "https://mercury:9100"},
		{"HTTPS://Mercury.Example:9100/A/B?c=d#e", "https://mercury.example:9100"},
		{"mercury:9100", "https://mercury:9100"},
		{"mercury", "https://mercury:443"},
		{"localhost:9100/project", "https://localhost:9100"},
		{"https://mercury", "https://mercury:443"},
		{"http://127.0.0.1", "http://127.0.0.1:80"},
		{"https://[::1]:9100", "https://[::1]:9100"},
		{"https://[2001:DB8:0::1]/x", "https://[2001:db8::1]:443"},
		{"https://[fe80::1%25eth0]:9100", "https://[fe80::1%25eth0]:9100"},
		{"  https://mercury:9100\n", "https://mercury:9100"},
	} {
		got, err := ParseURL(test.raw)
		if err != nil {
			t.Errorf("ParseURL(%q): %v", test.raw, err)
		} else if got.String() != test.want {
			t.Errorf("ParseURL(%q) = %s, want %s", test.raw, got, test.want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "   ", "ftp://mercury", "https://", "https://:9100", "https://mercury:0", "https://mercury:65536",
		"https://mercury:port", "https://::1:9100", "https://mercury me:1", "https://mer\x00cury", "https://%zz",
		"https://user:hunter2@mercury:9100", "user:hunter2@mercury", "https://user:1/hunter2@mercury",
		"https://mercury:x?token=hunter2", "://mercury",
	} {
		_, err := ParseURL(raw)
		if !errors.Is(err, fault.Usage) || fault.HintOf(err) == "" {
			t.Errorf("ParseURL(%q): %v, want a usage error with a hint", raw, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseURL(%q) repeats the secret: %v", raw, err)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	for _, test := range []struct {
		url   string
		allow bool
		want  error
	}{
		{"http://localhost:9100", false, nil},
		{"http://127.8.8.8:9100", false, nil},
		{"http://[::1]:9100", false, nil},
		{"http://[::ffff:127.0.0.1]:9100", false, nil},
		{"http://mercury:9100", true, nil},
		{"http://mercury:9100", false, fault.Policy},
		{"http://localhost.example:9100", false, fault.Policy},
		{"http://128.0.0.1:9100", false, fault.Policy},
		{"http://0.0.0.0:9100", false, fault.Policy},
	} {
		_, err := New(test.url, Options{AllowHTTP: test.allow})
		if !errors.Is(err, test.want) {
			t.Errorf("New(%q, AllowHTTP %t): %v, want %v", test.url, test.allow, err, test.want)
		}
		if err != nil && !strings.Contains(fault.HintOf(err), "--allow-http") {
			t.Errorf("New(%q): the hint does not name --allow-http: %s", test.url, fault.HintOf(err))
		}
	}
}

func TestPlainHTTPDoesNotPassByAPin(t *testing.T) {
	pinned, err := Pinned("sha256:" + strings.Repeat("00", 32))
	if err != nil {
		t.Fatal(err)
	}
	_, err = New("http://localhost:9100", Options{TLS: pinned, AllowHTTP: true})
	if !errors.Is(err, fault.Policy) {
		t.Errorf("%v, want %v", err, fault.Policy)
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"http://mercury:6444/project", "mercury", "https://[fe80::1%25eth0]:9100", "HTTPS://a:b@c", "https://[::1]", "//x:1?y#z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParseURL(raw)
		if err != nil {
			return
		}
		again, err := ParseURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("ParseURL(%q) = %s, which becomes %v, %v", raw, u, again, err)
		}
		if u.User != nil || u.Path != "" || u.RawQuery != "" || u.Port() == "" {
			t.Errorf("ParseURL(%q) = %s keeps too much", raw, u)
		}
	})
}
