package cmd_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"keyward/internal/killsweep"
)

// shownKeys are the fingerprints that serverkey show tells.
type shownKeys struct{ Current, Old, Next struct{ Fingerprint string } }

func serverKeys(t *testing.T, dir string) (shown shownKeys) {
	t.Helper()
	out, err := command(dir, []string{"serverkey", "show", "--json", "--server-key", "serverkey"}).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		t.Fatal(err)
	}
	return shown
}

// TestServerKeyRotationKilled kills a rotation at each of its steps: the old key is there always, in its place or beside
// the new one, and the next call ends what was begun, and begins no second one.
func TestServerKeyRotationKilled(t *testing.T) {
	keygen := []string{"keygen", "--keyfile", "serverkey", "-q"}
	rotate := []string{"serverkey", "rotate", "--server-key", "serverkey", "-q"}
	prepare := append(rotate[:len(rotate):len(rotate)], "--prepare")
	for name, before := range map[string][][]string{"at once": {keygen}, "prepared": {keygen, prepare}} {
		t.Run(name, func(t *testing.T) {
			var dir string
			var first shownKeys
			start := func(t *testing.T) *exec.Cmd {
				dir = t.TempDir()
				for _, args := range before {
					must(t, dir, args)
				}
				first = serverKeys(t, dir)
				return command(dir, rotate)
			}
			sweep := killsweep.Sweep{Fault: killsweep.Kill, AtLeast: 10}
			sweep.Run(t, start, func(t *testing.T, _ killsweep.Run) {
				killed := serverKeys(t, dir)
				if killed.Current != first.Current && killed.Old != first.Current {
					t.Errorf("the old key is gone: %+v, before %+v", killed, first)
				}
				rotated := killed.Current != first.Current
				_ = command(dir, rotate).Run() // refuses where it is done
				ended := serverKeys(t, dir)
				if ended.Old != first.Current || ended.Next.Fingerprint != "" || rotated && ended.Current != killed.Current {
					t.Errorf("after the next call: %+v, before %+v", ended, killed)
				}
				if first.Next.Fingerprint != "" && ended.Current != first.Next {
					t.Errorf("not the key that was prepared: %+v", ended)
				}
				for _, file := range []string{"serverkey", "serverkey.old"} {
					if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o600 {
						t.Errorf("%s: %v, %v", file, info, err)
					}
				}
			})
		})
	}
}
