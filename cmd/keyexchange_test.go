package cmd_test

import (
	"github.com/rogpeppe/go-internal/testscript"
)

// exchangeKey has the script's key exchanges by their names.
type exchangeKey struct{}

// cmdExchange starts a key exchange on a free port with its log in NAME.log, and sets EXCHANGE to its HOST:PORT:
// exchange start|stop|kill|hangup NAME [flags].
func cmdExchange(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exchange start|stop|kill|hangup NAME [flags]")
	}
	all, name := ts.Value(exchangeKey{}).(map[string]*running), args[1]
	if args[0] != "start" {
		all[name].tell(ts, args[0])
		return
	}
	service, address := startService(ts, name+".log", append([]string{"keyexchange", "serve"}, args[2:]...))
	all[name] = service
	ts.Setenv("EXCHANGE", address)
}
