package completions_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"keyward/completions"
)

func TestScript(t *testing.T) {
	for _, shell := range completions.Shells() {
		if text := completions.Script(shell); !bytes.Contains(text, []byte("gen-leaf-cert")) {
			t.Errorf("the script for %s is %d bytes, and has no gen-leaf-cert", shell, len(text))
		}
	}
	if completions.Script("csh") != nil || completions.File("csh") != "" {
		t.Error("there is a script for csh")
	}
}

// offers is what is offered for lines that end where TAB is pressed: all of it, sorted.
// The folder they are typed in holds the file key.pem and the folder keys.
var offers = []struct {
	line string
	want string // words
}{
	// Commands.
	{"keyward ge", "gen-crl gen-csr gen-intermediate-cert gen-leaf-cert gen-root-cert getkey getserverkey"},
	{"keyward keygen", "keygen"},
	{"keyward use", "user"},
	{"keyward user ", "add delete list passwd"},
	{"keyward user p", "passwd"},
	{"keyward help use", "user"},
	{"keyward help user p", ""},
	{"keyward nonsense ge", ""},
	{"keyward user nonsense a", ""},
	{"keyward keygen ge", ""},
	{"vovsecurity getk", "getkey"},
	{"vovsecurity user de", "delete"},
	{"./keyward getk", "getkey"},

	// Flags, before, between and behind arguments.
	{"keyward keygen --k", "--keyfile"},
	{"keyward keygen --", "--force --help --json --keyfile --quiet"},
	{"keyward getkey --json --k", "--keyfile"},
	{"keyward user add --new", "--new-password-file"},
	{"keyward user add alice --new", "--new-password-file"},
	{"keyward user add --as admin --adm", "--admin"},
	{"keyward user --new", ""},
	{"keyward --vers", "--version"},
	{"keyward addkey -kd 'my laptop' --if", "--if-missing"},
	{"keyward addkey --k", "--kd --keyfile --kv"},
	{"gen-leaf-cert --sa", "--san"},
	{"gen-root-cert --sa", ""},
	{"gen-intermediate-cert --path", "--path-len"},

	// Values.
	{"keyward gen-leaf-cert --profile ", "client micronets peer server"},
	{"keyward gen-leaf-cert --profile mic", "micronets"},
	{"keyward gen-leaf-cert --profile nonsense", ""},
	{"gen-leaf-cert --key-type rsa", "rsa2048 rsa3072 rsa4096"},
	{"keyward gen-root-cert --profile peer --key-type ed", "ed25519"},
	{"keyward completion ", "bash fish powershell zsh"},
	{"keyward completion f", "fish"},
	{"keyward addkey --as k", ""},
	{"keyward addkey -kv k", ""},
	{"keyward addkey --url k", ""},
	{"keyward addkey -u k", ""},

	// Files and folders.
	{"keyward keygen --keyfile k", "key.pem keys/"},
	{"keyward addkey --password-file key.", "key.pem"},
	{"keyward serve --data-dir k", "keys/"},
	{"keyward demo --keep k", "keys/"},
	{"keyward keygen k", ""},

	// Behind -- there are arguments, and none that can be guessed.
	{"keyward keygen -- --k", ""},
	{"keyward user add -- --new", ""},
}

// folder is where the lines of offers are typed.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func script(t *testing.T, shell string) string {
	t.Helper()
	path, err := filepath.Abs(completions.File(shell))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// needs finds a shell; CI must have it, a laptop may lack it.
func needs(t *testing.T, shell string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

// TestBash calls the function as bash does, with the words that bash makes of the line.
// Outside of a completion there is no compopt, so that files come the way they do in bash 3.2.
func TestBash(t *testing.T) {
	bash := needs(t, "bash")
	const driver = `
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=(left over)
_keyward "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
for word in "${COMPREPLY[@]}"; do
	if [[ -d $word ]]; then word+=/; fi
	echo "$word"
done
complete -p "${1##*/}" >/dev/null
`
	tests := slices.Clone(offers)
	for _, more := range [][2]string{
		{"keyward keygen ", "--force --help --json --keyfile --quiet -f -h -q"},
		{"keyward keygen -f", "-f"},
		{"keyward keygen -fo", "-force"},
		{"keyward addkey -k", "-kd -keyfile -kv"},
		{"keyward gen-leaf-cert -profile mic", "micronets"},
		{"keyward addkey --u ", ""},
		{"keyward gen-leaf-cert --profile = ", "client micronets peer server"},
		{"keyward gen-leaf-cert --profile = mic", "micronets"},
		{"keyward gen-leaf-cert -profile = mic", "micronets"},
		{"keyward keygen --keyfile = key.", "key.pem"},
		{"keyward keygen --json = ", ""},
		{"keyward keygen =", ""},
		{"keyward addkey --url https : //mercury : 9100 --if", "--if-missing"},
		{"gen-leaf-cert.exe --sa", "--san"},
		{"gen-nonsense --sa", ""},
	} {
		tests = append(tests, struct{ line, want string }{more[0], more[1]})
	}
	dir := folder(t)
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			words := strings.Split(strings.ReplaceAll(tt.line, "'my laptop'", "laptop"), " ")
			c := exec.Command(bash, append([]string{"--norc", "--noprofile", "-uc", driver, "bash", script(t, "bash")}, words...)...)
			c.Dir = dir
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, _ := c.Output()
			if stderr.Len() > 0 && !strings.Contains(tt.line, "nonsense") && !strings.Contains(tt.line, ".exe") {
				t.Errorf("stderr: %s", stderr.Bytes())
			}
			same(t, string(out), tt.want)
		})
	}
	t.Logf("%d lines", len(tests))
}

// TestFish asks fish itself what it would offer.
func TestFish(t *testing.T) {
	fish := needs(t, "fish")
	tests := slices.Clone(offers)
	for _, more := range [][2]string{
		{"keyward addkey -kv", "-kv"},
		{"keyward gen-leaf-cert --profile=mic", "--profile=micronets"},
		{"keyward keygen --keyfile=key.", "--keyfile=key.pem"},
	} {
		tests = append(tests, struct{ line, want string }{more[0], more[1]})
	}
	dir := folder(t)
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			c := exec.Command(fish, "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, script(t, "fish"), tt.line)
			c.Dir, c.Env = dir, append(os.Environ(), "HOME="+dir)
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var words []string
			for line := range strings.Lines(string(out)) {
				word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				words = append(words, word)
			}
			same(t, strings.Join(words, "\n"), tt.want)
		})
	}
	t.Logf("%d lines", len(tests))
}

// same holds the offered lines to the words wanted, in any order.
func same(t *testing.T, got, want string) {
	t.Helper()
	words := strings.Fields(got)
	slices.Sort(words)
	if got := strings.Join(words, " "); got != want {
		t.Errorf("offered %q, want %q", got, want)
	}
}

// typed is what a person types in a shell, \t where TAB is pressed, and the arguments that
// the program then gets.
var typed = []struct{ keys, want string }{
	{"keyward keyg\t--js\t", "[keygen][--json]"},
	{"keyward user pas\talice --as admin --new\tkey.\t", "[user][passwd][alice][--as][admin][--new-password-file][key.pem]"},
	{"keyward gen-l\t--prof\tmic\t", "[gen-leaf-cert][--profile][micronets]"},
	{"keyward gen-leaf-cert --profile=mic\t", "[gen-leaf-cert][--profile][micronets]"},
	{"keyward completion pow\t", "[completion][powershell]"},
	{"keyward serve --data\tke\tnew", "[serve][--data-dir][keys/new]"},
	{"keyward keygen --keyfile two\t", "[keygen][--keyfile][two words]"},
	{"keyward addkey -kv 32:abc --if\t", "[addkey][-kv][32:abc][--if-missing]"},
	{"vovsecurity gets\t", "[getserverkey]"},
	{"gen-leaf-cert --key-type ed\t--pkey\t", "[--key-type][ed25519][--pkeycert]"},
	{"keyward help use\t", "[help][user]"},
	{"gen-root-cert --sa\t", "[--sa]"},
	{"keyward-bus --cli\tkey.\t--data\tke\tnew --max-c\t5", "[--client-ca][key.pem][--data-dir][keys/new][--max-connections][5]"},
	{"keyward-bus --js\t", "[--json]"},
	{"keyward keygen -- --js\t", "[keygen][--][--js]"},
}

// TestTyped types at real shells, at a pseudo-terminal. The programs are functions there,
// which show their arguments.
func TestTyped(t *testing.T) {
	const (
		names  = "keyward vovsecurity gen-root-cert gen-intermediate-cert gen-leaf-cert keyward-bus"
		posix  = `for p in ` + names + `; do eval "$p() { printf '<'; printf '[%s]' \"\$@\"; echo '>'; }"; done; PS1='ready: '`
		inZsh  = "autoload -Uz compinit; compinit -u -D; "
		inFish = `for p in ` + names + `; eval "function $p; printf '<'; printf '[%s]' \$argv; echo '>'; end"; end; function fish_prompt; echo -n 'ready: '; end`
	)
	tests := []struct{ name, shell, setup string }{
		{"bash", "bash", `source "$SCRIPT"; source "$BUS"; ` + posix},
		{"zsh, sourced", "zsh", inZsh + `source "$SCRIPT"; source "$BUS"; ` + posix},
		{"zsh, in a folder of fpath", "zsh", `ln -s "$SCRIPT" "$ZDOTDIR/_keyward"; ln -s "$BUS" "$ZDOTDIR/_keyward-bus"; fpath=("$ZDOTDIR" $fpath); ` + inZsh + posix},
		{"fish", "fish", `source $SCRIPT; source $BUS; ` + inFish},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.shell, tt.setup)
			for _, line := range typed {
				s.await(`ready: `)
				s.write(line.keys + "\r")
				got := s.await(`<(\[.*\])>`)
				if got = strings.ReplaceAll(got, "=", "]["); got != line.want {
					t.Errorf("%q gave %s, want %s", line.keys, got, line.want)
				}
			}
			t.Logf("%d lines", len(typed))
		})
	}
}

// TestTypedWithout shows that it is the script that completes in TestTyped.
func TestTypedWithout(t *testing.T) {
	s := start(t, "bash", `keyward() { echo "<[$*]>"; }; PS1='ready: '`)
	s.await(`ready: `)
	s.write("keyward keyg\t\r")
	if got := s.await(`<(\[.*\])>`); got != "[keyg]" {
		t.Errorf("without the script the shell gave %s", got)
	}
}

// session is a shell at a pseudo-terminal.
type session struct {
	t    *testing.T
	tty  *os.File
	seen []byte
}

// start starts a shell that reads no settings but setup.
func start(t *testing.T, shell, setup string) *session {
	t.Helper()
	program := needs(t, shell)
	home, dir := t.TempDir(), folder(t)
	if err := os.WriteFile(filepath.Join(dir, "two words"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rc := filepath.Join(home, ".zshrc")
	if err := os.WriteFile(rc, []byte(setup+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := map[string][]string{
		"bash": {"--noprofile", "--rcfile", rc, "-i"},
		"zsh":  {"--no-globalrcs", "-i"},
		"fish": {"--no-config", "--init-command", "source " + rc, "-i"},
	}[shell]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = dir
	of := script(t, shell)
	bus := filepath.Join(filepath.Dir(of), "keyward-bus."+shell)
	c.Env = append(os.Environ(), "HOME="+home, "ZDOTDIR="+home, "TERM=xterm", "LC_ALL=C.UTF-8", "SCRIPT="+of, "BUS="+bus)
	tty, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait()
		_ = tty.Close()
	})
	return &session{t: t, tty: tty}
}

func (s *session) write(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// await reads until the pattern is on the screen and returns its group.
func (s *session) await(pattern string) string {
	s.t.Helper()
	wanted := regexp.MustCompile(pattern)
	buf := make([]byte, 4096)
	for {
		if found := wanted.FindSubmatchIndex(s.seen); found != nil {
			text := string(s.seen[found[len(found)-2]:found[len(found)-1]])
			s.seen = s.seen[found[1]:]
			return text
		}
		n, err := s.tty.Read(buf)
		s.seen = append(s.seen, buf[:n]...)
		if err != nil {
			s.t.Fatalf("waited for %q and saw %q: %v", pattern, s.seen, err)
		}
		if bytes.Contains(buf[:n], []byte("\x1b[0c")) { // fish 4 asks what the terminal is
			s.write("\x1b[?62c")
		}
	}
}
