package natsclient_test

import (
	"context"
	"fmt"
	"testing"

	"keyward/bus"
	"keyward/bus/natsclient"
)

// Two accounts talk, and a third is refused. Each connects with its own certificate, which is all that says who it is.
func Example() {
	w, over := exampleWorld()
	defer over()
	ctx, stop := context.WithCancel(context.Background())

	bob, _ := natsclient.Connect(ctx, natsclient.Config{URL: w.url(), TLS: w.tls("bob")})
	echo, _ := bob.Listen(ctx, bus.Role{Kind: bus.Service, Name: "echo"})
	served := make(chan error)
	go func() {
		served <- echo.Reply(ctx, func(m natsclient.Message) ([]byte, error) {
			return fmt.Appendf(nil, "%s said %s", m.From, m.Data), nil // From is proved
		})
	}()

	alice, _ := natsclient.Connect(ctx, natsclient.Config{URL: w.url(), TLS: w.tls("alice")})
	reply, err := alice.Request(ctx, "bob", bus.MessageBox("alice", "echo"), []byte("hello"))
	fmt.Println(string(reply), err)

	carol, _ := natsclient.Connect(ctx, natsclient.Config{URL: w.url(), TLS: w.tls("carol")})
	_, err = carol.Request(ctx, "bob", bus.MessageBox("carol", "echo"), []byte("hello"))
	fmt.Println(err)

	stop()
	fmt.Println(<-served, bob.Close(), alice.Close(), carol.Close())
	// Output:
	// alice said hello <nil>
	// the account carol may not publish to "xbus.msgbox.carol.echo"
	// <nil> <nil> <nil> <nil>
}

// A consumer hears what emitters send. It ends with its context, once it has handled what has come.
func ExampleListener_Consume() {
	w, over := exampleWorld()
	defer over()
	ctx := context.Background()
	carol, _ := natsclient.Connect(ctx, natsclient.Config{URL: w.url(), TLS: w.tls("carol")})
	defer carol.Close()
	log, _ := carol.Listen(ctx, bus.Role{Kind: bus.Consumer, Name: "log", Subjects: []bus.Pattern{"xbus.msgbox.*"}})

	alice, _ := natsclient.Connect(ctx, natsclient.Config{URL: w.url(), TLS: w.tls("alice")})
	defer alice.Close()
	fmt.Println(alice.Emit(ctx, "alice", []byte("one")), alice.Emit(ctx, "alice", []byte("two")))

	done, stop := context.WithCancel(ctx)
	stop()
	err := log.Consume(done, func(m natsclient.Message) error {
		fmt.Printf("%s: %s\n", m.From, m.Data)
		return nil
	})
	fmt.Println(err)
	// Output:
	// <nil> <nil>
	// alice: one
	// alice: two
	// <nil>
}

// exampleWorld is a world for an example, which has no testing.T, until over.
func exampleWorld() (w *world, over func()) {
	t := new(exampleTB)
	return newWorld(t), t.over
}

// exampleTB is what newWorld needs of a test. Its end is the example's.
type exampleTB struct {
	testing.TB
	after []func()
}

func (t *exampleTB) Helper()                           {}
func (t *exampleTB) Context() context.Context          { return context.Background() }
func (t *exampleTB) Cleanup(f func())                  { t.after = append(t.after, f) }
func (t *exampleTB) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (t *exampleTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleTB) over() {
	for i := len(t.after) - 1; i >= 0; i-- {
		t.after[i]()
	}
}
