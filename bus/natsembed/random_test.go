package natsembed

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"keyward/bus"
	"keyward/bus/bustest"
)

// TestRandomAccounts has the server decide and deliver what bus.Explain says of accounts that nobody thought of.
func TestRandomAccounts(t *testing.T) {
	r := dice{rand.New(rand.NewPCG(1, 2))}
	var accounts []bus.Account
	var cells []bustest.Cell
	counts := map[bus.Decision]int{}
	for n := range 40 {
		a := r.account(bus.Name(fmt.Sprint("account", n)))
		accounts = append(accounts, a)
		for range 150 {
			cell := r.cell(t, a)
			cells = append(cells, cell)
			counts[cell.Want]++
		}
	}
	w := &world{TB: t, root: newCA(t, "root"), log: new(logged)}
	limitless := w.root.leaf()
	w.serveWith(limitless, accounts)
	speak := func(name bus.Name) *bustest.Speaker { return w.speak(w.root.account(name)) }
	for _, difference := range bustest.Differences(cells, w.speak(limitless), speak) {
		t.Error(difference)
	}
	t.Log(counts)
	if counts[bus.Allowed] < 100 || counts[bus.Filtered] < 5 || counts[bus.Refused] < 100 {
		t.Errorf("they ask too little: %v", counts)
	}
}

type dice struct{ *rand.Rand }

func pick[T any](r dice, list ...T) T { return list[r.IntN(len(list))] }

// account is one that is valid, with some roles and patterns.
func (r dice) account(name bus.Name) bus.Account {
	a := bus.Account{Name: name, State: bus.Active, Revision: 1, Identities: []string{identity(name)}}
	for range 8 {
		more := a
		role := bus.Role{Kind: pick(r, bus.Emitter, bus.Consumer, bus.Worker, bus.Service), Name: pick(r, "echo", "done", name)}
		if role.Kind != bus.Emitter && r.IntN(4) > 0 {
			role.Subjects = []bus.Pattern{r.pattern(name), r.pattern(name)}
		}
		role.Stock = r.IntN(4) == 0
		switch r.IntN(4) {
		case 0:
			more.Publish = append(more.Publish[:len(more.Publish):len(more.Publish)], r.pattern(name))
		case 1:
			more.Subscribe = append(more.Subscribe[:len(more.Subscribe):len(more.Subscribe)], r.pattern(name))
		default:
			more.Roles = append(more.Roles[:len(more.Roles):len(more.Roles)], role)
		}
		if more.Validate() == nil {
			a = more
		}
	}
	return a
}

// pattern is a subject of the world, with other words in places.
func (r dice) pattern(name bus.Name) bus.Pattern {
	words := strings.Split(pick(r, bustest.World()...), ".")
	for i := range words {
		if r.IntN(4) == 0 {
			words[i] = pick(r, "*", "*", "echo", string(name))
		}
	}
	if r.IntN(3) == 0 {
		words = append(words[:1+r.IntN(len(words))], pick(r, ">", "*", "*"))
	}
	return bus.Pattern(strings.Join(words, "."))
}

// cell is a question, near to what the account has, and the answer of bus.Explain.
func (r dice) cell(t *testing.T, a bus.Account) bustest.Cell {
	near := append([]bus.Pattern{r.pattern(a.Name)}, a.Subscribe...)
	for _, role := range a.Roles {
		near = append(near, role.Heard()...)
	}
	subject := string(pick(r, near...))
	if i := strings.LastIndexByte(subject, '.'); i > 0 && r.IntN(2) == 0 {
		subject = subject[:i] + pick(r, "", ".*", ".>", ".>", ".echo")
	}
	cell := bustest.Cell{Account: a.Name, Verb: pick(r, bus.Publish, bus.Subscribe, bus.Subscribe), Subject: subject}
	if cell.Verb == bus.Subscribe {
		cell.Queue = pick(r, "", "", "other", string(a.Name), string(a.Name)+".echo", string(a.Name)+".*")
	}
	verdict, err := bus.Explain(a, cell.Verb, strings.TrimSpace(subject+" "+cell.Queue))
	must(t, err)
	cell.Want = verdict.Decision
	if cell.Verb == bus.Publish || cell.Want == bus.Refused {
		return cell
	}
	if cell.Want == bus.Filtered {
		subject = strings.TrimSuffix(subject, ">") + "*"
	}
	for _, one := range bustest.World() {
		if bus.Pattern(subject).Matches(bus.Subject(one)) {
			cell.Hears = append(cell.Hears, one)
		}
	}
	return cell
}
