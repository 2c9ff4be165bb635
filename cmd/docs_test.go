package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// block is a fenced block of a page: its language, the file that it is, if it is one, and its text.
type block struct{ language, file, text string }

var fenced = regexp.MustCompile("(?ms)^```(\\w+)[ ]?(\\S*)\n(.*?)^```$")

func blocks(page string) []block {
	var found []block
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		found = append(found, block{m[1], m[2], m[3]})
	}
	return found
}

// workflow is what is run of a GitHub Actions workflow.
type workflow struct {
	Jobs map[string]struct {
		Steps []struct {
			Name string
			Run  string
		}
	}
}

// TestCIPage runs docs/ci.md: its files are written, its shell blocks and the steps of its workflow run in
// the page's order in one folder.
func TestCIPage(t *testing.T) {
	needsShell(t)
	page, err := os.ReadFile("../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shells, steps := 0, 0
	for _, b := range blocks(string(page)) {
		if b.file != "" {
			write(t, filepath.Join(dir, b.file), b.text)
		}
		if b.language == "sh" {
			shells++
			bash(t, dir, b.text)
		}
		if !strings.Contains(b.file, "workflows/") {
			continue
		}
		var w workflow
		if err := yaml.Unmarshal([]byte(b.text), &w); err != nil {
			t.Fatal(err)
		}
		for _, job := range w.Jobs {
			for _, step := range job.Steps {
				if step.Run != "" {
					steps++
					bash(t, dir, step.Run)
				}
			}
		}
	}
	t.Logf("%d shell blocks, %d steps", shells, steps)
	if shells < 4 || steps < 4 {
		t.Error("the page has lost its examples")
	}
	if out, err := shell(dir, "false\ntrue").CombinedOutput(); err == nil {
		t.Errorf("a block that fails in its middle passes: %s", out)
	}
}

func needsShell(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the page is for a Unix shell")
	}
	for _, tool := range []string{"bash", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "true" {
			t.Skipf("%s is not installed", tool)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func bash(t *testing.T, dir, script string) {
	t.Helper()
	if out, err := shell(dir, script).CombinedOutput(); err != nil {
		t.Errorf("%v in\n%s\nprinted\n%s", err, script, out)
	}
}

// shell is bash as GitHub's runners start it.
func shell(dir, script string) *exec.Cmd {
	c := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir, "CI=true", "CA_PASSWORD=correct horse", "PATH="+program+string(os.PathListSeparator)+os.Getenv("PATH"))
	return c
}

// TestREADMEManifest makes what the README's manifest says, and has OpenSSL look at it.
func TestREADMEManifest(t *testing.T) {
	needsShell(t)
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, b := range blocks(string(page)) {
		if b.file == "pki.yaml" {
			write(t, filepath.Join(dir, b.file), b.text)
			write(t, filepath.Join(dir, "ops.password"), "correct horse\n")
		}
	}
	bash(t, dir, `
		code=0; keyward plan pki.yaml || code=$?; test $code = 10
		keyward apply pki.yaml
		code=0; keyward plan pki.yaml || code=$?; test $code = 12
		for leaf in web db agent ops; do
			openssl verify -x509_strict -CAfile root.cert.pem -untrusted inter.cert.pem $leaf.cert.pem
		done
		openssl pkcs12 -in ops.p12 -passin file:ops.password -nodes -noout
		test -s web.fullchain.pem -a -s web.k8s.yaml -a -s ci.userkey
		keyward export-cert web --to pkcs12,pkeycert --ca-certfile inter.cert.pem --password-file ops.password
		keyward verify-cert --ca-file root.cert.pem --name web.example.org --strict web.fullchain.pem
		keyward revoke-cert agent@example.org --reason keyCompromise --yes --ca-certfile inter.cert.pem --ca-keyfile inter.key.pem
		keyward ledger verify inter.ledger --ca-certfile inter.cert.pem`)
}
