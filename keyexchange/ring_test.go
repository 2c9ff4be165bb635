package keyexchange

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"keyward/fault"
)

var testTime = time.Date(2026, 11, 21, 21, 37, 8, 0, time.UTC)

func verifies(generations []Generation) (keys []VerifyKey) {
	for _, g := range generations {
		keys = append(keys, g.Verify)
	}
	return keys
}

func sameKeys(a, b *Ring) bool { return bytes.Equal(a.text(), b.text()) }

func TestRotate(t *testing.T) {
	first := NewRing(testTime)
	old := first.At(testTime)
	if _, pending := first.Switch(testTime); pending {
		t.Error("a change is to come")
	}
	moment := testTime.Add(10 * time.Second)
	r, err := first.Rotate(testTime, moment.Add(-time.Millisecond), time.Minute)
	check(t, err)
	if at, ok := r.Switch(testTime); !ok || !at.Equal(moment) {
		t.Errorf("the change is at %v, %v", at, ok)
	}
	for _, c := range []struct {
		after   time.Duration
		current int
		known   int
	}{
		{-time.Hour, 0, 2}, {0, 0, 2}, {9999 * time.Millisecond, 0, 2}, {10 * time.Second, 1, 2}, {69 * time.Second, 1, 2}, {70 * time.Second, 1, 1},
	} {
		now := testTime.Add(c.after)
		if got := r.At(now).Verify == old.Verify; got != (c.current == 0) {
			t.Errorf("after %v: the old keys: %v", c.after, got)
		}
		known := verifies(r.Known(now))
		if len(known) != c.known || known[0] == old.Verify {
			t.Errorf("after %v: %v", c.after, known)
		}
	}
	if _, err := r.Rotate(testTime, moment, 0); !errors.Is(err, fault.Exists) {
		t.Errorf("another change before the first: %v", err)
	}
	if len(first.Known(testTime)) != 1 {
		t.Error("the old ring changed")
	}

	later := testTime.Add(time.Hour)
	next, err := r.Rotate(later, later, 0)
	check(t, err)
	if known := next.Known(later.Add(-time.Second)); len(known) != 2 {
		t.Errorf("what was forgotten is there: %v", verifies(known))
	}
	if known := next.Known(later); len(known) != 1 {
		t.Errorf("without an overlap the old keys are known: %v", verifies(known))
	}
}

func TestRotateRefuses(t *testing.T) {
	r := NewRing(testTime)
	if _, err := r.Rotate(testTime, testTime.Add(-time.Second), 0); !errors.Is(err, fault.Usage) {
		t.Error(err)
	}
	if _, err := r.Rotate(testTime, testTime, -1); !errors.Is(err, fault.Usage) {
		t.Error(err)
	}
}

// TestRotateOften holds that a ring stays one, however quick and often its keys change.
func TestRotateOften(t *testing.T) {
	r, now := NewRing(testTime), testTime
	for range 20 {
		var err error
		r, err = r.Rotate(now, now, time.Hour)
		check(t, err)
		check(t, r.check())
		if at, ok := r.Switch(now); ok {
			now = at
		}
	}
	if n := len(r.Known(now)); n != maxGenerations {
		t.Errorf("%d are known", n)
	}
}

// TestTooManyGenerations holds that a file cannot say more than a ring has.
func TestTooManyGenerations(t *testing.T) {
	r := NewRing(testTime)
	for range maxGenerations {
		r.generations = append(r.generations, r.generations[0])
	}
	if _, err := parseRing(r.text()); !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), "more than 8 pairs of keys") {
		t.Error(err)
	}
}

func TestRingFile(t *testing.T) {
	for _, password := range []string{"", "correct horse"} {
		path := filepath.Join(t.TempDir(), "new", "keys")
		asked := 0
		ask := func() ([]byte, error) { asked++; return []byte(password), nil }
		if _, err := Load(t.Context(), path, ask); !errors.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
			t.Errorf("no file: %v", err)
		}
		r := NewRing(testTime)
		check(t, Create(t.Context(), path, r, []byte(password)))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		text, err := os.ReadFile(path)
		check(t, err)
		if plain := bytes.Contains(text, []byte("signing")); plain != (password == "") {
			t.Errorf("the text is plain: %v", plain)
		}
		got, err := Load(t.Context(), path, ask)
		check(t, err)
		if !sameKeys(got, r) {
			t.Error("other keys")
		}
		if err := Create(t.Context(), path, r, nil); !errors.Is(err, fault.Exists) {
			t.Errorf("a second file: %v", err)
		}
		changed, err := Update(t.Context(), path, ask, func(r *Ring) (*Ring, error) { return r.Rotate(testTime, testTime.Add(time.Minute), time.Hour) })
		check(t, err)
		again, err := Load(t.Context(), path, ask)
		check(t, err)
		if !sameKeys(again, changed) || len(again.Known(testTime)) != 2 {
			t.Error("the change was not kept")
		}
		if want := 3; password != "" && asked != want || password == "" && asked != 0 {
			t.Errorf("asked %d times", asked)
		}
	}
}

func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	check(t, Create(t.Context(), path, NewRing(testTime), []byte("correct horse")))
	for name, c := range map[string]struct {
		ask  func() ([]byte, error)
		want error
	}{
		"none":        {nil, fault.Usage},
		"wrong":       {func() ([]byte, error) { return []byte("wrong horse"), nil }, fault.LoginRefused},
		"interrupted": {func() ([]byte, error) { return nil, context.Canceled }, context.Canceled},
	} {
		if _, err := Load(t.Context(), path, c.ask); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, os.WriteFile(path, []byte(encryptedLine+"\n3:AAAA\n"), 0o600))
	if _, err := Load(t.Context(), path, func() ([]byte, error) { t.Error("asked for a file that is damaged"); return nil, nil }); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
}

// TestUpdateTogether has many change one file at once: each change is there.
func TestUpdateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	check(t, Create(t.Context(), path, NewRing(testTime), nil))
	var wg sync.WaitGroup
	var lock sync.Mutex
	moment := testTime
	for range 5 {
		wg.Go(func() {
			_, err := Update(t.Context(), path, nil, func(r *Ring) (*Ring, error) {
				lock.Lock()
				defer lock.Unlock()
				moment = moment.Add(time.Second)
				return r.Rotate(moment, moment, time.Hour)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r, err := Load(t.Context(), path, nil)
	check(t, err)
	if n := len(r.Known(testTime)); n != 6 {
		t.Errorf("%d generations", n)
	}
}

func TestExposed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	check(t, Create(t.Context(), path, NewRing(testTime), nil))
	check(t, os.Chmod(path, 0o644))
	if _, err := Load(t.Context(), path, nil); !errors.Is(err, fault.Policy) || !strings.Contains(fault.HintOf(err), "chmod") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	change := func(r *Ring) (*Ring, error) { t.Error("it is read"); return r, nil }
	if _, err := Update(t.Context(), path, nil, change); !errors.Is(err, fault.Policy) {
		t.Error(err)
	}
	check(t, os.Chmod(path, 0o600))
	check(t, os.Chmod(filepath.Dir(path), 0o777))
	if _, err := Load(t.Context(), path, nil); !errors.Is(err, fault.Policy) {
		t.Error(err)
	}
}

// resum puts the right sum under a text that was changed.
func resum(text string) string {
	text, _, _ = strings.Cut(text, "sum ")
	return string(withSum([]byte(text)))
}

// TestRingTextDamaged cuts the text at each length, changes each line, and flips a bit of each byte.
func TestRingTextDamaged(t *testing.T) {
	r, err := NewRing(testTime).Rotate(testTime, testTime.Add(time.Minute), time.Hour)
	check(t, err)
	text := string(r.text())
	secrets := []string{r.generations[0].Box.text(), r.generations[1].seed().text()}
	refused := func(what, text string) {
		t.Helper()
		_, err := parseRing([]byte(text))
		if !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%s)", what, err, fault.HintOf(err))
			return
		}
		for _, s := range secrets {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error shows a key", what)
			}
		}
	}
	for n := range len(text) - 1 {
		refused("cut", text[:n])
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		rest := strings.Join(lines[i+1:], "")
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		refused(line, strings.Join(lines[:i], "")+rest)
		refused(line, strings.Join(lines[:i+1], "")+line+"\n"+rest)
		refused(line, strings.Join(lines[:i], "")+line+"x\n"+rest)
	}
	for i := strings.IndexByte(text, '\n') + 1; i < len(text)-1; i++ { // after the comment
		if text[i:i+1] != "\n" {
			refused("a flipped bit", text[:i]+string(text[i]^1)+text[i+1:])
		}
	}
	if _, err := parseRing([]byte(resum(text))); err != nil {
		t.Error(err)
	}
	refused("a line after the sum", text+"sum x\n")
	refused("no order", resum(strings.Replace(text, "from 2026-11-21T21:38:08Z", "from 2026-11-21T21:37:08Z", 1)))
	refused("forgotten before the next", resum(strings.Replace(text, "until 2026-11-21T22:38:08Z", "until 2026-11-21T21:38:07Z", 1)))
	refused("an emptied key", resum(strings.Replace(text, secrets[0], BoxKey{}.text(), 1)))
	for _, fine := range []string{strings.ReplaceAll(text, "\n", "\r\n"), "\n# mine\n" + text + "# end"} {
		got, err := parseRing([]byte(fine))
		check(t, err)
		if !sameKeys(got, r) {
			t.Error("other keys")
		}
	}
}

func FuzzParseRing(f *testing.F) {
	f.Add(NewRing(testTime).text())
	r, _ := NewRing(testTime).Rotate(testTime, testTime.Add(time.Minute), time.Hour)
	f.Add(r.text())
	f.Add([]byte(firstLine + "\ncreated x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRing(text)
		if err != nil {
			return
		}
		again, err := parseRing(r.text())
		if err != nil || !sameKeys(r, again) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
