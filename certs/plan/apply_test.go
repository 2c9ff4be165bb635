package plan

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyward/fault"
)

func parsed(t *testing.T, dir, text string) *Manifest {
	t.Helper()
	m, err := Parse("m", dir, []byte(text), noon)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func judged(t *testing.T, m *Manifest) *Plan {
	t.Helper()
	p, err := m.Judge(context.Background(), noon, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func actions(steps []Step) string {
	var words []string
	for _, s := range steps {
		words = append(words, string(s.Action))
	}
	return strings.Join(words, " ")
}

const tree = "certificates:\n  root: {}\n  inter: {issuer: root, role: intermediate}\n  a: {issuer: inter, san: a.example, outputs: [fullchain, k8s]}\n  b: {issuer: root, san: b.example}\n"

// What hangs on a CA that cannot sign is not made; the rest is.
func TestApplyGoesOn(t *testing.T) {
	dir := t.TempDir()
	m := parsed(t, dir, tree)
	run(t, m)
	for _, name := range []string{"a.cert.pem", "b.cert.pem"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(dir, "inter.key.pem")
	if err := os.WriteFile(key, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := judged(t, m)
	if got := actions(p.Steps); got != "leave leave leave re-issue" {
		t.Errorf("actions: %s", got)
	}
	done, err := p.Apply(context.Background(), Options{Parallel: 2})
	if got := actions(done.Steps); got != "re-issue" {
		t.Errorf("done: %s", got)
	}
	found, _ := errors.AsType[Faults](err)
	if len(found) != 2 || !strings.Contains(found[0].Message, "no private key") || !strings.Contains(found[1].Message, "its issuer inter is at fault") || !errors.Is(err, fault.InvalidFile) {
		t.Errorf("%v: %v", fault.KindOf(err), err)
	}
}

// A plan may be old when it is applied: what another run did in between stays.
func TestApplyOfAnOldPlan(t *testing.T) {
	dir := t.TempDir()
	m := parsed(t, dir, tree)
	old := judged(t, m)
	run(t, m)
	before := files(t, dir)
	done, err := old.Apply(context.Background(), Options{Parallel: 2})
	if err != nil || len(done.Steps) != 0 {
		t.Errorf("%v, done: %s", err, actions(done.Steps))
	}
	if after := files(t, dir); !slices.Equal(before, after) {
		t.Errorf("files changed: %q", after)
	}
}

func TestApplyEnds(t *testing.T) {
	dir := t.TempDir()
	m := parsed(t, dir, tree)
	ctx, cancel := context.WithCancel(context.Background())
	p := judged(t, m)
	cancel()
	if _, err := p.Apply(ctx, Options{Parallel: 1}); err == nil {
		t.Error("no error")
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	run(t, m)
}

// A CA's new key is known to all below it, however deep.
func TestRekeyGoesDown(t *testing.T) {
	dir := t.TempDir()
	m := parsed(t, dir, tree)
	run(t, m)
	for _, name := range []string{"root.cert.pem", "root.key.pem"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	p := judged(t, m)
	if got := actions(p.Steps); got != "make re-issue write re-issue" {
		t.Errorf("actions: %s", got)
	}
	run(t, m)
	if got := actions(judged(t, m).Steps); got != "leave leave leave leave" {
		t.Errorf("then: %s", got)
	}
}

// A CA that has lost its certificate alone is signed again for its key, and what it signed stays good.
func TestLostCertificateOfCA(t *testing.T) {
	dir := t.TempDir()
	m := parsed(t, dir, tree)
	run(t, m)
	for _, lost := range []struct{ file, want string }{
		{"root.cert.pem", "re-issue leave write leave"},
		{"inter.cert.pem", "leave re-issue write leave"},
	} {
		if err := os.Remove(filepath.Join(dir, lost.file)); err != nil {
			t.Fatal(err)
		}
		p := judged(t, m)
		if got := actions(p.Steps); got != lost.want {
			t.Errorf("%s: %s", lost.file, got)
		}
		done, err := p.Apply(context.Background(), Options{Parallel: 2})
		if err != nil || len(done.Steps) != 2 {
			t.Errorf("%s: %v, done: %s", lost.file, err, actions(done.Steps))
		}
		if got := actions(judged(t, m).Steps); got != "leave leave leave leave" {
			t.Errorf("%s: then: %s", lost.file, got)
		}
	}
}

// In /tmp and the like anybody can be first with the name of a key: such a one is not certified.
func TestPlantedKey(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for name, link := range map[string]bool{"file": false, "link": true} {
		t.Run(name, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), t.TempDir()
			m := parsed(t, dir, tree)
			run(t, m)
			key := filepath.Join(dir, "a.key.pem")
			if link {
				if err := errors.Join(os.Rename(key, filepath.Join(elsewhere, "key")), os.Symlink(filepath.Join(elsewhere, "key"), key)); err != nil {
					t.Fatal(err)
				}
			}
			const nobody = 65534
			if err := errors.Join(os.Lchown(key, nobody, nobody), os.Remove(filepath.Join(dir, "a.cert.pem"))); err != nil {
				t.Fatal(err)
			}
			if got := actions(judged(t, m).Steps); got != "leave leave re-issue leave" {
				t.Errorf("in a folder of one's own: %s", got)
			}
			if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			done, err := judged(t, m).Apply(context.Background(), Options{Parallel: 1})
			if !errors.Is(err, fault.Policy) || len(done.Steps) != 0 {
				t.Errorf("%v, done: %s", err, actions(done.Steps))
			}
		})
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry.Name()+" "+string(text))
	}
	return all
}
