package natsauth

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"keyward/fault"
)

// The NATS accounts beside BusAccount: of the authorizers, and of the servers themselves.
const (
	authAccount   = "AUTH"
	systemAccount = "SYS"
)

// AuthorizationTimeout is how long a server waits for an answer: longer than a Service takes at most, and below the 2 seconds after
// which a server pings a client, that takes a ping in the place of an answer for a fault.
const AuthorizationTimeout = 1800 * time.Millisecond

// MaxSubscriptions is how many a connection may have.
const MaxSubscriptions = 1 << 14

// nameBytes are those of a DNS name. Others are something else in a URL.
const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// ServerConfig is what a NATS server of the bus is told. All paths are the server's.
type ServerConfig struct {
	Keys   PublicKeys
	Name   string // of the server; empty is one that it makes
	Listen string // address and port
	Cert   string // its certificate, and those above it, in PEM
	Key    string // the certificate's key in PEM
	CA     string // signs the clients, and the other servers

	Cluster       string   // the cluster's name; empty is none
	ClusterListen string   // address and port for the other servers
	Routes        []string // HOST:PORT of all servers of it, by names that are in their certificates
}

// Text is the configuration of a server, complete, for nats-server -c. Its error is fault.Usage, for what no
// configuration can say.
func (c ServerConfig) Text() (string, error) {
	for _, text := range append([]string{c.Name, c.Listen, c.Cert, c.Key, c.CA, c.Cluster, c.ClusterListen}, c.Routes...) {
		if strings.ContainsFunc(text, unicode.IsControl) {
			return "", fault.New(fault.Usage, "leave out line ends and other characters that do not print", "%q cannot be in a configuration", text)
		}
	}
	for _, name := range []string{c.Name, c.Cluster} {
		if strings.ContainsRune(name, ' ') {
			return "", fault.New(fault.Usage, "write it without blanks", "no server or cluster is called %q", name)
		}
	}
	if err := cmp.Or(checkListen("listen", c.Listen), c.checkCluster()); err != nil {
		return "", err
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# A server of the bus: accounts and their permissions come from keyward bus authorize.")
	if c.Name != "" {
		line("server_name: %s", quote(c.Name))
	}
	line("listen: %s", quote(c.Listen))
	line("# A client that is silent is gone: it may be an authorizer, which would be asked on and on.")
	line("ping_interval: %q", pingClientEvery)
	line("ping_max: %d", maxPings)
	line("# What a connection keeps in memory, and what is remembered of one that ended, with all that it subscribed to.")
	line("max_subscriptions: %d", MaxSubscriptions)
	line("max_closed_clients: 1")
	line("")
	line("# Every client shows a certificate, the authorizers too.")
	line("%s", c.tls("", "verify"))
	line("")
	line("accounts {")
	line("  %s {}", BusAccount)
	line("  %s { users: [%s] }", authAccount, user(c.Keys.Callout,
		[]string{"$SYS._INBOX.>", "_INBOX.>", certificatesSubject}, []string{calloutSubject + " " + queueGroup, "_INBOX.>", certificatesSubject}))
	line("  %s { users: [%s] }", systemAccount, user(c.Keys.System,
		[]string{askAll, listAll, fmt.Sprintf(listOne, "*"), fmt.Sprintf(kickOne, "*")}, []string{connectEvent, disconnectEvent, "_INBOX.>"}))
	line("}")
	line("system_account: %s", systemAccount)
	line("")
	line("authorization {")
	line("  timeout: %.1f # an authorizer answers sooner, or not at all", AuthorizationTimeout.Seconds())
	line("  auth_callout {")
	line("    account: %s", authAccount)
	line("    issuer: %s", c.Keys.Issuer)
	line("    xkey: %s", c.Keys.XKey)
	line("    auth_users: [%s, %s]", c.Keys.Callout, c.Keys.System)
	line("  }")
	line("}")
	if c.Cluster != "" {
		line("")
		line("cluster {")
		line("  name: %s", quote(c.Cluster))
		line("  listen: %s", quote(c.ClusterListen))
		line("  # A server shows the others the same certificate, which has to be for servers and clients. Whoever has the certificate")
		line("  # of an account is none of them: a server's has the host of a route among its DNS names.")
		line("%s", c.tls("  ", "verify_cert_and_check_known_urls"))
		line("  # So is a server that is silent: what is asked of an authorizer there is lost.")
		line("  ping_interval: %q", pingEvery)
		line("  ping_max: %d", maxPings)
		line("  routes: [%s]", routes(c.Routes))
		line("}")
	}
	return b.String(), nil
}

// checkListen refuses what servers do not listen on: they know ports by their numbers alone.
func checkListen(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.Atoi(port)
	}
	if err != nil {
		return fault.New(fault.Usage, "write it as --"+flag+" ADDRESS:PORT", "%q is no address with the number of a port", address)
	}
	return nil
}

// checkCluster refuses where no cluster is, and routes that its servers would not know each other by.
func (c ServerConfig) checkCluster() error {
	if c.Cluster == "" {
		return nil
	}
	if strings.Contains(c.Cluster, ":") {
		return fault.New(fault.Usage, "give --cluster a name, such as east, and the address to --cluster-listen", "%q is no name of a cluster", c.Cluster)
	}
	if err := checkListen("cluster-listen", c.ClusterListen); err != nil {
		return err
	}
	if len(c.Routes) == 0 {
		return fault.New(fault.Usage, "name each server of the cluster with --route HOST:PORT", "the cluster %s has no other servers", c.Cluster)
	}
	for _, route := range c.Routes {
		host, port, err := net.SplitHostPort(route)
		if err == nil && net.ParseIP(host) != nil {
			return fault.New(fault.Usage, "name the server as its certificate does: servers know each other by DNS names", "the route %s is an address", route)
		}
		number, bad := strconv.ParseUint(port, 10, 16)
		if err != nil || bad != nil || number == 0 || host == "" || strings.Trim(host, nameBytes) != "" {
			return fault.New(fault.Usage, "write it as --route HOST:6222", "%q is no place of a server", route)
		}
	}
	return nil
}

// tls is what a server shows, and whom it takes.
func (c ServerConfig) tls(indent, verify string) string {
	lines := []string{"tls {", "  cert_file: " + quote(c.Cert), "  key_file: " + quote(c.Key), "  ca_file: " + quote(c.CA), "  " + verify + ": true", "  timeout: 5", "}"}
	return indent + strings.Join(lines, "\n"+indent)
}

// user is one that logs in with a key and may do no more than it has to.
func user(key string, publish, subscribe []string) string {
	return fmt.Sprintf("{ nkey: %s, permissions: { publish: [%s], subscribe: [%s] } }", key, quoteAll(publish), quoteAll(subscribe))
}

func routes(hosts []string) string {
	urls := make([]string, len(hosts))
	for i, host := range hosts {
		urls[i] = "tls://" + host
	}
	return quoteAll(urls)
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return strings.Join(quoted, ", ")
}

// quote is a string as a configuration has it: nats-server, conf/lex.go.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
