//go:build unix

package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyward/fault"
	"keyward/internal/durable"
)

// stranger is a uid that is neither the test's nor root's.
const stranger = 54321

// shared makes a folder of root's as /tmp is.
func shared(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make another user's files")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// leave makes a hidden file of that owner.
func leave(t *testing.T, uid int, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
}

const theft = "replace \"peer\"\n\"peer.key.pem\"\n\"peer.cert.pem\"\nplace\n"

// TestPlanted has another user leave each hidden file, beside those that a killed run of
// the caller's would have left. Nobody obeys it, and nothing is touched.
func TestPlanted(t *testing.T) {
	hidden := map[string]string{
		".peer.lock":     "",
		".peer.journal":  theft,
		".peer.0.staged": "stranger's key",
		".peer.1.old":    "stranger's cert",
	}
	acts := map[string]func(dir string) error{
		"Settle": func(dir string) error { return durable.Settle(t.Context(), dir, "peer") },
		"Put":    func(dir string) error { return durable.Put(t.Context(), dir, "peer", newSet, true) },
		"PutAll": func(dir string) error {
			errs := durable.PutAll(t.Context(), batchOf(dir, newSet, true, "zoo", "peer", "ant"), nil)
			for _, n := range []string{"ant", "zoo"} {
				for _, f := range renamed(n, newSet) {
					errs = append(errs, os.Remove(filepath.Join(dir, f.Name)))
				}
			}
			return errors.Join(errs...)
		},
	}
	for planted := range hidden {
		for name, act := range acts {
			t.Run(planted+" "+name, func(t *testing.T) {
				dir := shared(t)
				mustPut(t, dir, oldSet, false)
				for file, text := range hidden {
					uid := 0
					if file == planted {
						uid = stranger
					}
					leave(t, uid, filepath.Join(dir, file), text)
				}
				before := read(t, dir)
				err := act(dir)
				if !errors.Is(err, fault.Policy) || !strings.Contains(err.Error(), filepath.Join(dir, planted)+" is not yours") ||
					!strings.Contains(fault.HintOf(err), "a folder of your own") {
					t.Errorf("got %v (%s)", err, fault.HintOf(err))
				}
				diff(t, dir, before)
			})
		}
	}
}

// TestPlantedAlone has no lock, which a Put makes: it takes that away again. Nor does the
// owner of a sticky folder give orders in it.
func TestPlantedAlone(t *testing.T) {
	for _, owner := range []int{0, stranger} {
		dir := shared(t)
		mustPut(t, dir, oldSet, false)
		if err := os.Chown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
		leave(t, stranger, filepath.Join(dir, ".peer.journal"), theft)
		before := read(t, dir)
		if err := durable.Put(t.Context(), dir, "peer", newSet, true); !errors.Is(err, fault.Policy) {
			t.Errorf("folder of %d: got %v", owner, err)
		}
		diff(t, dir, before)
	}
}

// TestPlantedLink has a link of another user's to a journal that the caller owns.
func TestPlantedLink(t *testing.T) {
	dir := shared(t)
	mustPut(t, dir, oldSet, false)
	leave(t, 0, filepath.Join(dir, "journal"), theft)
	leave(t, 0, filepath.Join(dir, ".peer.lock"), "")
	link := filepath.Join(dir, ".peer.journal")
	for _, uid := range []int{stranger, 0} {
		if err := errors.Join(os.Symlink("journal", link), os.Lchown(link, uid, uid)); err != nil {
			t.Fatal(err)
		}
		before := read(t, dir)
		if err := durable.Settle(t.Context(), dir, "peer"); err == nil || fault.HintOf(err) == "" {
			t.Errorf("uid %d: got %v", uid, err)
		}
		diff(t, dir, before)
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFolderOfAnother has root work in a user's own folder, on that user's files, and
// finish what a killed run of the user left.
func TestFolderOfAnother(t *testing.T) {
	dir := shared(t)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, stranger, stranger)); err != nil {
		t.Fatal(err)
	}
	for _, f := range oldSet {
		leave(t, stranger, filepath.Join(dir, f.Name), string(f.Data))
	}
	leave(t, stranger, filepath.Join(dir, ".peer.lock"), "")
	leave(t, stranger, filepath.Join(dir, ".peer.0.staged"), "torn")
	mustPut(t, dir, newSet, true)
	diff(t, dir, want(newSet))
}

// TestReplaceAnothersFiles has root replace a stranger's files in a shared folder.
func TestReplaceAnothersFiles(t *testing.T) {
	dir := shared(t)
	for _, f := range oldSet {
		leave(t, stranger, filepath.Join(dir, f.Name), string(f.Data))
	}
	mustPut(t, dir, newSet, true)
	diff(t, dir, want(newSet))
}

// TestOldLink finishes a killed run that had replaced a symbolic link, and kept that.
func TestOldLink(t *testing.T) {
	dir := t.TempDir()
	mustPut(t, dir, newSet[:1], false)
	for file, text := range map[string]string{".peer.lock": "", ".peer.journal": theft, ".peer.1.staged": "new cert"} {
		leave(t, os.Geteuid(), filepath.Join(dir, file), text)
	}
	if err := errors.Join(os.Chmod(filepath.Join(dir, ".peer.1.staged"), 0o644), os.Symlink("elsewhere", filepath.Join(dir, ".peer.1.old"))); err != nil {
		t.Fatal(err)
	}
	if err := durable.Settle(t.Context(), dir, "peer"); err != nil {
		t.Error(err)
	}
	diff(t, dir, want(newSet[:2]))
}
