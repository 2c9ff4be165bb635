package bus_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keyward/bus"
	"keyward/fault"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"a", "A-Z_9", "-", "_", strings.Repeat("x", bus.MaxName)} {
		if name, err := bus.ParseName(good); err != nil || string(name) != good {
			t.Errorf("%q: %q, %v", good, name, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", bus.MaxName+1), "a.b", "*", ">", "a b", "a\n", "a\x00", "é", "\u212a", "a*", "$SYS", "%61"} {
		if _, err := bus.ParseName(bad); fault.KindOf(err) != fault.Policy || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSubjects(t *testing.T) {
	long := strings.Repeat("x", bus.MaxSubject)
	deep := strings.TrimSuffix(strings.Repeat("x.", bus.MaxTokens), ".")
	for _, good := range []string{"a", "a.b", "$SYS.x", "_INBOX.a", "grün.1", long, deep} {
		if _, err := bus.ParseSubject(good); err != nil {
			t.Errorf("subject %q: %v", good, err)
		}
		if _, err := bus.ParsePattern(good); err != nil {
			t.Errorf("pattern %q: %v", good, err)
		}
	}
	for _, wild := range []string{"*", ">", "a.*", "a.>", "*.a.*.>"} {
		if _, err := bus.ParseSubject(wild); fault.KindOf(err) != fault.Policy {
			t.Errorf("subject %q: %v", wild, err)
		}
		if _, err := bus.ParsePattern(wild); err != nil {
			t.Errorf("pattern %q: %v", wild, err)
		}
	}
	for _, bad := range []string{"", ".", ".a", "a.", "a..b", "a b", "a\tb", "a\r\nPUB b 0", "a\x00", "a\x7f", "a\u00a0b", "a\u202eb", "a\u2028b", "\xff", "\ufffd", ">.a", "a.>.b", "a*", "*a", "a.>>", "**", long + "x", deep + ".x"} {
		for what, parse := range map[string]func(string) error{
			"subject": func(s string) error { _, err := bus.ParseSubject(s); return err },
			"pattern": func(s string) error { _, err := bus.ParsePattern(s); return err },
		} {
			if err := parse(bad); fault.KindOf(err) != fault.Policy || fault.HintOf(err) == "" {
				t.Errorf("%s %q: %v", what, bad, err)
			}
		}
	}
}

// small draws a pattern of few words, so that two often meet.
func small(t *rapid.T, label string, words ...string) bus.Pattern {
	tokens := rapid.SliceOfN(rapid.SampledFrom(words), 1, 4).Draw(t, label)
	if rapid.IntRange(0, 2).Draw(t, label+" has a tail") == 0 && len(words) > 2 {
		tokens = append(tokens, ">")
	}
	return bus.Pattern(strings.Join(tokens, "."))
}

// matches is the naive model: what a pattern matches, by recursion.
func matches(pattern, subject []string) bool {
	switch {
	case len(subject) == 0:
		return len(pattern) == 0
	case len(pattern) == 0:
		return false
	case pattern[0] == ">":
		return true
	}
	return (pattern[0] == "*" || pattern[0] == subject[0]) && matches(pattern[1:], subject[1:])
}

// every is each subject of up to six tokens: a word that the patterns have, or one that none has.
func every() [][]string {
	all, last := [][]string{}, [][]string{{}}
	for range 6 {
		var next [][]string
		for _, head := range last {
			for _, token := range []string{"a", "b", "z"} {
				next = append(next, append(append([]string{}, head...), token))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

func TestPatternsAsTheModel(t *testing.T) {
	subjects := every()
	rapid.Check(t, func(t *rapid.T) {
		p, q := small(t, "p", "a", "b", "*"), small(t, "q", "a", "b", "*")
		one, other := strings.Split(string(p), "."), strings.Split(string(q), ".")
		covers, overlaps := true, false
		for _, s := range subjects {
			in, inOther := matches(one, s), matches(other, s)
			if got := p.Matches(bus.Subject(strings.Join(s, "."))); got != in {
				t.Fatalf("%q matches %q: %v", p, s, got)
			}
			covers, overlaps = covers && (in || !inOther), overlaps || in && inOther
		}
		if got := p.Covers(q); got != covers {
			t.Errorf("%q covers %q: %v", p, q, got)
		}
		if got := p.Overlaps(q); got != overlaps || q.Overlaps(p) != got {
			t.Errorf("%q overlaps %q: %v", p, q, got)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"alice", "", "a.b", "*", "-", "é", "a\x00", strings.Repeat("x", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := bus.ParseName(s)
		if err != nil {
			return
		}
		account, emitter, ok := bus.Sender(string(bus.MessageBox(name, name)))
		if !ok || account != name || emitter != name || strings.ContainsAny(s, ".*> \t\r\n") {
			t.Errorf("%q is a name", s)
		}
	})
}

func FuzzSubject(f *testing.F) {
	for _, s := range []string{"xbus.msgbox.alice", "xbus.msgbox.alice.echo", "_INBOX.a.in.b", "", "a..b", "a.*", ">", "a b", "\xff", "xbus.msgbox.a.a", "xbus.msgbox.*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		account, emitter, ok := bus.Sender(s)
		if ok && string(bus.MessageBox(account, emitter)) != s {
			t.Errorf("%q has the sender %s %s", s, account, emitter)
		}
		subject, err := bus.ParseSubject(s)
		if err != nil {
			if ok || bus.ReplyAllowed("a", s) {
				t.Errorf("%q is no subject, and used as one", s)
			}
			return
		}
		if p := bus.Pattern(s); !p.Matches(subject) || !p.Covers(p) || !bus.Pattern(">").Matches(subject) || strings.ContainsAny(s, "*> \t\r\n") {
			t.Errorf("%q is a subject", s)
		}
		if bus.ReplyAllowed("a", s) != (strings.HasPrefix(s, "_INBOX.a.in.")) {
			t.Errorf("a reply to %q", s)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a.*", "a.>", ">", "*", "xbus.>", "_inbox.*", "$SYS.>", "", "a..b", ">.a", "a*", "XBUS.msgbox.*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		account := aliceWith(func(a *bus.Account) {
			a.Publish, a.Subscribe = []bus.Pattern{bus.Pattern(s)}, []bus.Pattern{bus.Pattern(s)}
		})
		valid := account.Validate() == nil
		p, err := bus.ParsePattern(s)
		if err != nil {
			if valid {
				t.Errorf("%q is no pattern, and an account has it", s)
			}
			return
		}
		if !p.Covers(p) || !p.Overlaps(p) {
			t.Errorf("%q is not itself", s)
		}
		for _, closed := range []bus.Pattern{"_INBOX.>", "_inbox.>", "$SYS.>", "$JS.>", "xbus.msgbox.>", "XBUS.Msgbox.>"} {
			if valid && p.Overlaps(closed) {
				t.Errorf("an account has %q, which reaches %s", s, closed)
			}
		}
	})
}
