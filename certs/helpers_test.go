package certs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"keyward/certs"
)

// now is the tests' clock. It is the real time, since certtool verifies at no other.
var now = time.Now().UTC().Truncate(time.Second)

func issue(t testing.TB, req certs.Request, issuer *certs.Issuer) *certs.Issued {
	t.Helper()
	issued, err := certs.Issue(req, issuer, now)
	if err != nil {
		t.Fatalf("%v %s %s: %v", req.Role, req.Profile, req.KeyType, err)
	}
	return issued
}

// sans has a name of each form.
var sans = []string{"svc.corp.test", "*.corp.test", "10.0.0.7", "user@corp.test", "spiffe://corp.test/svc"}

// family is a root, an intermediate below it, and a leaf below that, alike in profile and key type.
type family struct{ root, intermediate, leaf *certs.Issued }

func issueFamily(t testing.TB, profile certs.Profile, keyType certs.KeyType) family {
	t.Helper()
	leaf := certs.Request{Role: certs.Leaf, Organization: "Leaf", Profile: profile, KeyType: keyType}
	if profile != certs.Micronets {
		leaf.SANs = sans
	}
	var f family
	f.root = issue(t, certs.Request{Role: certs.Root, Organization: "Root", Profile: profile, KeyType: keyType}, nil)
	f.intermediate = issue(t, certs.Request{Role: certs.Intermediate, Organization: "Intermediate", Profile: profile, KeyType: keyType}, f.root.Issuer())
	f.leaf = issue(t, leaf, f.intermediate.Issuer())
	return f
}

// write makes issued's files in dir, without the syncs of certs.Write, and returns their basename.
func write(t testing.TB, dir, name string, issued *certs.Issued, pkeycert bool) string {
	t.Helper()
	files, err := issued.Files(name, pkeycert, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, file.Name), file.Data, file.Mode); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name)
}

// tool skips a test where a program is missing, but not in CI, where it has to be there.
func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: %v", name, err)
		}
		t.Skipf("%s is not installed", name)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}
