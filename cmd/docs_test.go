package cmd_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
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
		for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
			for _, step := range w.Jobs[name].Steps {
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

// TestREADMEManifest runs the README's manifest and the lines that go with it, each as it is printed, and has
// OpenSSL look at what they make.
func TestREADMEManifest(t *testing.T) {
	needsShell(t)
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, lines := t.TempDir(), 0
	for _, b := range blocks(string(page)) {
		if b.file == "pki.yaml" {
			write(t, filepath.Join(dir, b.file), b.text)
		}
		if b.language != "sh" || !strings.Contains(b.text, "keyward plan pki.yaml") && !strings.Contains(b.text, "keyward renew-cert") {
			continue
		}
		for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", "")) {
			lines++
			command, _, _ := strings.Cut(strings.TrimSpace(line), "  #")
			bash(t, dir, "code=0; "+command+" || code=$?; [ $code = 0 ] || [ $code = 10 ] || [ $code = 12 ]") // what is due or not is no fault
		}
	}
	if lines < 10 {
		t.Errorf("only %d lines of the README ran", lines)
	}
	bash(t, dir, `
		for leaf in web db ops; do
			openssl verify -x509_strict -crl_check -CAfile root.cert.pem -untrusted inter.cert.pem -CRLfile inter.crl.pem $leaf.cert.pem
		done
		! openssl verify -crl_check -CAfile root.cert.pem -untrusted inter.cert.pem -CRLfile inter.crl.pem agent.cert.pem
		openssl pkcs12 -in ops.p12 -passin file:ops.password -nodes -noout
		test -s web.fullchain.pem -a -s web.k8s.yaml -a -s web.pkeycert.pem -a -s ci.userkey`)
}

// TestREADMEStream runs the README's secured stream, on ports that are free: the subscriber prints what is published.
func TestREADMEStream(t *testing.T) {
	needsShell(t)
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, b := range blocks(string(page)) {
		if strings.Contains(b.text, "keyexchange serve") {
			text = b.text
		}
	}
	if lines := strings.Count(text, "\n"); lines != 5 {
		t.Fatalf("the README's stream has %d lines", lines)
	}
	zmq, exchange := freePort(t), freePort(t)
	text = strings.NewReplacer(
		"localhost:49017", "127.0.0.1:"+zmq, "localhost:49018", "localhost:"+exchange,
		"keyexchange serve", "keyexchange serve --listen 127.0.0.1:"+exchange,
		"keyexchange publish", "keyexchange publish --listen tcp://127.0.0.1:"+zmq,
		"--server-name localhost &", "--server-name localhost >read &",
	).Replace(text)
	dir := t.TempDir()
	bash(t, dir, "trap 'kill $(jobs -p); wait' EXIT\n"+text+"\nfor i in $(seq 100); do [ -s read ] && break; sleep 0.1; done")
	read, err := os.ReadFile(filepath.Join(dir, "read"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"error":"INTERFACE_DOWN","host":"router1"}` + "\n"; string(read) != want {
		t.Errorf("the subscriber printed %q", read)
	}
}

// TestREADMEBus runs the README's ten lines of the bus, on ports that are free.
func TestREADMEBus(t *testing.T) {
	needsShell(t)
	if err := busServer(); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## A bus where a certificate opens its own doors\n")
	found := blocks(section)
	if len(found) == 0 || strings.Count(found[0].text, "\n") != 10 {
		t.Fatal("the README has no ten lines for it")
	}
	registry, nats := freePort(t), freePort(t)
	lines := strings.NewReplacer(":9100", ":"+registry, ":4222", ":"+nats, "keyward serve", "keyward serve --listen 127.0.0.1:"+registry,
		"keyward-bus", "keyward-bus --listen 127.0.0.1:"+nats).Replace(found[0].text)
	c := shell(t.TempDir(), "trap 'kill $(jobs -p); wait' EXIT\n"+strings.TrimSpace(lines)+" && exit 99 || exit $?")
	out, err := c.CombinedOutput()
	if c.ProcessState.ExitCode() != 5 || !strings.Contains(string(out), "\nhello\n") {
		t.Errorf("%v in\n%s\nprinted\n%s", err, lines, out)
	}
}
