package sqlstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyward/fault"
)

// TestTransport holds that a way off the machine is TLS whose certificate is checked.
func TestTransport(t *testing.T) {
	for _, tt := range []struct {
		url string
		ok  bool
	}{
		{"postgres://keyward@/keyward?host=/run/postgresql", true},
		{"postgres://keyward@localhost/keyward", true},
		{"postgres://keyward@127.0.0.1/keyward?sslmode=disable", true},
		{"postgres://keyward@127.8.8.8/keyward", true},
		{"postgres://keyward@[::1]/keyward", true},
		{"postgres://keyward@db.example.com/keyward?sslmode=verify-full", true},
		{"postgres://keyward@db.example.com/keyward?sslrootcert=system", true},
		{"postgres://keyward@db.example.com/keyward?sslmode=verify-ca", true},
		{"host=db.example.com user=keyward sslmode=verify-full", true},

		{"postgres://keyward@db.example.com/keyward", false},
		{"postgres://keyward@db.example.com/keyward?sslmode=disable", false},
		{"postgres://keyward@db.example.com/keyward?sslmode=allow", false},
		{"postgres://keyward@db.example.com/keyward?sslmode=prefer", false},
		{"postgres://keyward@db.example.com/keyward?sslmode=require", false},
		{"postgres://keyward@10.0.0.1/keyward", false},
		{"postgres://keyward@localhost.example.com/keyward", false},
		{"postgres://keyward@localhost,db.example.com/keyward", false},
		{"postgres://keyward@127.0.0.1,10.0.0.1/keyward?sslmode=prefer", false},
		{"postgres://keyward@/keyward?host=db.example.com", false},
	} {
		_, _, err := postgresConfig(tt.url)
		if tt.ok && err != nil || !tt.ok && fault.KindOf(err) != fault.Policy {
			t.Errorf("%s: %v", tt.url, err)
		}
	}
}

// TestURLWithoutSecret holds that no error tells the URL's password.
func TestURLWithoutSecret(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, url := range []string{
		"postgres://keyward:tell-nobody@host:port/keyward",
		"postgres://keyward:tell-nobody%@host/keyward",
		"postgres://keyward:tell-nobody@host/keyward?sslmode=full",
		"postgres://keyward:tell-nobody@host/keyward?pool_max_conns=many",
		"postgres://keyward:tell-nobody@host/keyward?sslmode=verify-full&sslrootcert=" + missing,
		"user=keyward password='tell-nobody",
		"tell-nobody",
	} {
		_, _, err := postgresConfig(url)
		if err == nil || strings.Contains(err.Error(), "tell-nobody") {
			t.Errorf("%s: %v", url, err)
		}
		if kind := fault.KindOf(err); kind != fault.Usage {
			t.Errorf("%s: %v", url, kind)
		}
		if strings.Contains(url, missing) && !strings.Contains(err.Error(), missing) {
			t.Errorf("%v does not name the file", err)
		}
	}
}

// TestPasswordOfLibpq holds that the password need not be in the URL.
func TestPasswordOfLibpq(t *testing.T) {
	const url = "postgres://keyward@127.0.0.1:5433/keyward"
	file := filepath.Join(t.TempDir(), "pgpass")
	if err := os.WriteFile(file, []byte("127.0.0.1:5433:keyward:keyward:from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", file)
	hold := func(want string) {
		t.Helper()
		config, _, err := postgresConfig(url)
		if err != nil || config.Password != want {
			t.Errorf("got %q, %v", config.Password, err)
		}
	}
	hold("from the file")
	t.Setenv("PGPASSWORD", "from the variable")
	hold("from the variable")
}

func TestCheckServer(t *testing.T) {
	for version, ok := range map[string]bool{
		"15.14 (Debian 15.14-0+deb12u1)": true, "15beta2": true, "18": true, "100.1": true,
		"14.19": false, "9.6.24": false, "": false, "new": false,
	} {
		if err := checkServer(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}
