package keys

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyward/fault"
)

func TestSaveAndLoad(t *testing.T) {
	path := DefaultPath(t.TempDir())
	p := generate(t)
	backup, err := Save(t.Context(), path, p, false, testTime)
	if err != nil || backup != "" {
		t.Fatalf("Save = %q, %v", backup, err)
	}
	p.Created = testTime.Truncate(time.Second)
	if got, err := Load(t.Context(), path); err != nil || got != p {
		t.Errorf("Load = %v, %v, want %v", got, err, p)
	}
	if got := list(t, filepath.Dir(path)); !slices.Equal(got, []string{"userkey"}) {
		t.Errorf("the folder has %v", got)
	}
}

func TestSaveKeepsThePairsOwnTime(t *testing.T) {
	path := DefaultPath(t.TempDir())
	p := generate(t)
	p.Created = testTime.AddDate(-1, 0, 0).Truncate(time.Second)
	if _, err := Save(t.Context(), path, p, false, testTime); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(t.Context(), path); err != nil || !got.Created.Equal(p.Created) {
		t.Errorf("created %v, %v", got.Created, err)
	}
}

func TestSaveDoesNotReplaceUnasked(t *testing.T) {
	path := DefaultPath(t.TempDir())
	first := save(t, path, false)
	_, err := Save(t.Context(), path, generate(t), false, testTime)
	if !errors.Is(err, fault.Exists) || !strings.Contains(fault.HintOf(err), "--force") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	if got, err := Load(t.Context(), path); err != nil || got.Private != first.Private {
		t.Errorf("the old key is gone: %v", err)
	}
}

func TestReplacedKeysAreKept(t *testing.T) {
	path := DefaultPath(t.TempDir())
	keysThen := []PrivateKey{save(t, path, false).Private}
	for _, want := range []string{
		"userkey.20261121T213708Z.bak",
		"userkey.20261121T213708Z-2.bak", // within the same second
		"userkey.20261121T213708Z-3.bak",
	} {
		p := generate(t)
		backup, err := Save(t.Context(), path, p, true, testTime)
		if err != nil || filepath.Base(backup) != want {
			t.Fatalf("Save = %q, %v, want %s", backup, err, want)
		}
		if old, err := Load(t.Context(), backup); err != nil || old.Private != keysThen[len(keysThen)-1] {
			t.Errorf("%s is not the key that was replaced: %v", backup, err)
		}
		keysThen = append(keysThen, p.Private)
	}
	if got := list(t, filepath.Dir(path)); len(got) != 4 {
		t.Errorf("the folder has %v", got)
	}
}

func TestReplaceKeepsADamagedFileByteForByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "userkey")
	const damaged = "private 32:half"
	writeFile(t, path, damaged)
	backup, err := Save(t.Context(), path, generate(t), true, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(backup); err != nil || string(got) != damaged {
		t.Errorf("kept %q, %v", got, err)
	}
}

func TestReplaceRefusesWhatIsNoUserkey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thesis")
	text := strings.Repeat("x", maxUserkey+1)
	writeFile(t, path, text)
	if _, err := Save(t.Context(), path, generate(t), true, testTime); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != text {
		t.Error("it was changed")
	}
}

func TestSaveOverWhatIsNoUserkeyUnasked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thesis")
	writeFile(t, path, strings.Repeat("x", maxUserkey+1))
	if _, err := Save(t.Context(), path, generate(t), false, testTime); !errors.Is(err, fault.Exists) {
		t.Error(err)
	}
}

func TestFolderInTheKeysPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{".", "..", "/", t.TempDir()} {
		_, load := Load(t.Context(), path)
		_, save := Save(t.Context(), path, generate(t), false, testTime)
		_, replace := Save(t.Context(), path, generate(t), true, testTime)
		for _, err := range []error{load, save, replace} {
			if !errors.Is(err, fault.InvalidFile) || !strings.HasSuffix(err.Error(), path+" is a folder") || !strings.Contains(fault.HintOf(err), filepath.Join(path, "userkey")) {
				t.Errorf("%s: %v (%s)", path, err, fault.HintOf(err))
			}
		}
	}
}

func TestSaveBelowAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g")
	writeFile(t, path, "a file")
	if _, err := Save(t.Context(), filepath.Join(path, "userkey"), generate(t), false, testTime); err == nil || fault.HintOf(err) == "" {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

func TestReplaceWithoutAnOldKey(t *testing.T) {
	path := DefaultPath(t.TempDir())
	if backup, err := Save(t.Context(), path, generate(t), true, testTime); err != nil || backup != "" {
		t.Errorf("Save = %q, %v", backup, err)
	}
}

func TestOneOfTwoRacingSavesWins(t *testing.T) {
	path := DefaultPath(t.TempDir())
	pairs := []Pair{generate(t), generate(t), generate(t), generate(t)}
	errs := make([]error, len(pairs))
	var wait sync.WaitGroup
	for i, p := range pairs {
		wait.Go(func() { _, errs[i] = Save(t.Context(), path, p, false, testTime) })
	}
	wait.Wait()
	won := slices.Index(errs, nil)
	if won < 0 {
		t.Fatal("nobody wins: ", errs)
	}
	for i, err := range errs {
		if i != won && !errors.Is(err, fault.Exists) {
			t.Errorf("loser %d: %v", i, err)
		}
	}
	if got, err := Load(t.Context(), path); err != nil || got.Private != pairs[won].Private {
		t.Errorf("the file is not the winner's: %v", err)
	}
}

func TestSaveRefusesWhatIsNoPair(t *testing.T) {
	path := DefaultPath(t.TempDir())
	p := generate(t)
	p.Public = generate(t).Public
	if _, err := Save(t.Context(), path, p, false, testTime); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"damaged": "private 32:half",
		"large":   "private " + alicePrivate + strings.Repeat("\n", maxUserkey),
		"empty":   "",
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		if _, err := Load(t.Context(), path); !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), path) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "none", "userkey")} {
		if _, err := Load(t.Context(), path); !errors.Is(err, fault.NotFound) || !strings.Contains(fault.HintOf(err), "keygen") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func save(t *testing.T, path string, replace bool) Pair {
	t.Helper()
	p := generate(t)
	if _, err := Save(t.Context(), path, p, replace, testTime); err != nil {
		t.Fatal(err)
	}
	return p
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Of many that replace a pair at once, each keeps the one before it: no new pair is lost.
func TestRacingReplacementsKeepAll(t *testing.T) {
	const racers = 8
	dir := t.TempDir()
	path := filepath.Join(dir, "userkey")
	var all sync.WaitGroup
	pairs := make([]Pair, racers)
	for i := range racers {
		pairs[i] = generate(t)
		all.Go(func() {
			if _, err := Save(t.Context(), path, pairs[i], true, testTime); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	kept := map[PublicKey]bool{}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != racers {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		p, err := Load(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		kept[p.Public] = true
	}
	for _, p := range pairs {
		if !kept[p.Public] {
			t.Errorf("%s is lost", p.Public)
		}
	}
}
