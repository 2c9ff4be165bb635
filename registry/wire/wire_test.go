package wire

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestPaths sees that a server reads back the segments that a client filled in.
func TestPaths(t *testing.T) {
	var user, fingerprint string
	note := func(_ http.ResponseWriter, r *http.Request) {
		user, fingerprint = r.PathValue("user"), r.PathValue("fingerprint")
	}
	mux := http.NewServeMux()
	for _, path := range []string{PathUser, PathPassword, PathUserKeys, PathUserKey} {
		mux.HandleFunc(path, note)
	}
	for _, name := range []string{"alice", "a.b-c_d", "a/b", "a b?c#d%e", "ä"} {
		for path, want := range map[string]string{UserPath(name): "", PasswordPath(name): "", UserKeysPath(name): "", UserKeyPath(name, "sha256:0/1"): "sha256:0/1"} {
			user, fingerprint = "", ""
			mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
			if user != name || fingerprint != want {
				t.Errorf("%s is read as user %q and fingerprint %q", path, user, fingerprint)
			}
		}
	}
}
