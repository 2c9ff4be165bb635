package tlsclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"keyward/fault"
)

// authority is a root that signs what a test needs.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"root"}}, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	return &authority{signed(t, template, template, key, key), key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// leaf is for servers and clients. Behind it comes an intermediate where there is one between.
func (a *authority) leaf(t *testing.T, between bool, names ...string) tls.Certificate {
	t.Helper()
	issuer, chain := a, [][]byte{}
	if between {
		issuer = &authority{key: newKey(t)}
		issuer.cert = signed(t, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{"between"}}, KeyUsage: x509.KeyUsageCertSign,
			NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter, IsCA: true, BasicConstraintsValid: true,
		}, a.cert, issuer.key, a.key)
		chain = append(chain, issuer.cert.Raw)
	}
	key := newKey(t)
	cert := signed(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{Organization: []string{"leaf"}}, DNSNames: names,
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter, BasicConstraintsValid: true,
	}, issuer.cert, key, issuer.key)
	return tls.Certificate{Certificate: append([][]byte{cert.Raw}, chain...), PrivateKey: key, Leaf: cert}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// shake has a client and a server meet, and exchange a byte, with what they say after it. It gives the client's state and
// error, and the name that it sent.
func shake(t *testing.T, client, server *tls.Config) (state tls.ConnectionState, sent string, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err.Error()
			return
		}
		s := tls.Server(c, server)
		s.SetDeadline(time.Now().Add(20 * time.Second))
		if s.Handshake() == nil {
			io.WriteString(s, "x")
		}
		served <- s.ConnectionState().ServerName
		io.Copy(io.Discard, s)
		s.Close()
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	secure := tls.Client(c, client)
	secure.SetDeadline(time.Now().Add(20 * time.Second))
	if err = secure.Handshake(); err == nil {
		_, err = secure.Read(make([]byte, 1)) // with TLS 1.3 the server judges us after our handshake
	}
	state = secure.ConnectionState()
	c.Close()
	return state, <-served, err
}

var errNamed = errors.New("the name is wrong")

func TestVerifying(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	const host = "host.example"
	refuse := func(*x509.Certificate, string) error { return errNamed }
	accept := func(leaf *x509.Certificate, got string) error {
		if got != host || leaf.Subject.Organization[0] != "leaf" {
			t.Errorf("asked for the name %q of %v", got, leaf.Subject)
		}
		return nil
	}
	named, another, nameless := ca.leaf(t, false, host), ca.leaf(t, false, "other.example"), ca.leaf(t, false)
	for name, c := range map[string]struct {
		config *tls.Config // nil where the test is about nil
		named  func(*x509.Certificate, string) error
		shown  tls.Certificate
		sni    string
		refuse string // in the error
	}{
		"the system's roots":                     {&tls.Config{}, nil, named, host, "unknown authority"},
		"no configuration":                       {nil, nil, named, host, "unknown authority"},
		"the system's roots and what names do":   {&tls.Config{}, accept, named, host, "unknown authority"},
		"roots and a name":                       {&tls.Config{RootCAs: ca.pool(), ServerName: host}, refuse, named, host, ""},
		"roots and a name that differs":          {&tls.Config{RootCAs: ca.pool(), ServerName: host}, accept, another, host, "not host.example"},
		"roots and a name, and there is none":    {&tls.Config{RootCAs: ca.pool(), ServerName: host}, accept, nameless, host, "host.example"},
		"roots and a name, of another root":      {&tls.Config{RootCAs: other.pool(), ServerName: host}, accept, named, host, "unknown authority"},
		"roots alone":                            {&tls.Config{RootCAs: ca.pool()}, nil, another, "", ""},
		"roots alone, and an intermediate":       {&tls.Config{RootCAs: ca.pool()}, nil, ca.leaf(t, true), "", ""},
		"roots alone, of another root":           {&tls.Config{RootCAs: other.pool()}, nil, named, "", "unknown authority"},
		"roots alone, and an intermediate of it": {&tls.Config{RootCAs: other.pool()}, nil, ca.leaf(t, true), "", "unknown authority"},
		"roots alone, a name that passes":        {&tls.Config{RootCAs: ca.pool()}, accept, another, host, ""},
		"roots alone, a name that does not":      {&tls.Config{RootCAs: ca.pool()}, refuse, named, host, errNamed.Error()},
		"of another root, a name that passes":    {&tls.Config{RootCAs: other.pool()}, accept, named, host, "unknown authority"},
		"switched off":                           {&tls.Config{RootCAs: other.pool(), InsecureSkipVerify: true}, nil, named, "", "unknown authority"},
		"switched off, with a name":              {&tls.Config{RootCAs: ca.pool(), ServerName: host, InsecureSkipVerify: true}, nil, another, host, "not host.example"},
		"switched off, the system's roots":       {&tls.Config{InsecureSkipVerify: true}, nil, named, host, "unknown authority"},
		"no roots at all":                        {&tls.Config{RootCAs: x509.NewCertPool()}, nil, named, "", "unknown authority"},
		"later":                                  {&tls.Config{RootCAs: ca.pool(), Time: tomorrow}, nil, named, "", "expired"},
		"later, with a name":                     {&tls.Config{RootCAs: ca.pool(), Time: tomorrow, ServerName: host}, nil, named, host, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.config.Clone()
			config := Verifying(c.config, host, c.named)
			_, sent, err := shake(t, config, &tls.Config{Certificates: []tls.Certificate{c.shown}})
			if sent != c.sni {
				t.Errorf("it sent the name %q, want %q", sent, c.sni)
			}
			_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
			switch {
			case c.refuse == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.refuse != "" && (err == nil || !untrusted || !strings.Contains(err.Error(), c.refuse)):
				t.Errorf("got %v, want %q", err, c.refuse)
			}
			if c.config != nil && (c.config.InsecureSkipVerify != before.InsecureSkipVerify || c.config.ServerName != before.ServerName || c.config.VerifyConnection != nil) {
				t.Error("the configuration that was given changed")
			}
		})
	}
}

func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// TestOldTLS holds that TLS 1.1 is none, and that a caller may demand more than 1.2.
func TestOldTLS(t *testing.T) {
	ca := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, false)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	for given, most := range map[uint16]uint16{tls.VersionTLS10: tls.VersionTLS11, 0: tls.VersionTLS11, tls.VersionTLS13: tls.VersionTLS12} {
		server.MaxVersion = most
		if _, _, err := shake(t, Verifying(&tls.Config{RootCAs: ca.pool(), MinVersion: given}, "h", nil), server); err == nil {
			t.Errorf("%s does where at least %s is demanded", tls.VersionName(most), tls.VersionName(given))
		}
	}
}

// TestFurtherChecks holds that the caller's own check comes after ours, on resumed sessions too.
func TestFurtherChecks(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	refused := fault.New(fault.NotTrusted, "hint", "it is revoked")
	server := &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, false, "host.example")}}
	for _, name := range []string{"", "host.example"} {
		asked, verdict := 0, error(nil)
		config := &tls.Config{
			RootCAs: ca.pool(), ServerName: name, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			VerifyConnection: func(tls.ConnectionState) error { asked++; return verdict },
		}
		host := "host.example" // the key of the session where no name is sent is the address
		shakeAt := func(config *tls.Config) (bool, error) {
			state, _, err := shake(t, Verifying(config, host, func(*x509.Certificate, string) error { return nil }), server)
			return state.DidResume, err
		}
		if resumed, err := shakeAt(config); resumed || err != nil || asked != 1 {
			t.Fatalf("first: resumed is %t, %v, asked %d times", resumed, err, asked)
		}
		if resumed, err := shakeAt(config); !resumed || err != nil || asked != 2 {
			t.Errorf("second: resumed is %t, %v, asked %d times", resumed, err, asked)
		}
		verdict = refused
		if _, err := shakeAt(config); !errors.Is(err, refused) || asked != 3 {
			t.Errorf("third: %v, asked %d times", err, asked)
		}
		verdict = nil
		elsewhere := config.Clone()
		elsewhere.RootCAs = other.pool()
		if _, err := shakeAt(elsewhere); err == nil || asked != 3 {
			t.Errorf("of another root now: %v, asked %d times", err, asked)
		}
	}
}

func TestFault(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	server := Server{Name: "the relay at h:1", HintRoot: "root", HintHost: "host", HintOurs: "ours"}
	ours := []tls.Certificate{ca.leaf(t, false)}
	serving := &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, false, "other.example")}}
	demanding := serving.Clone()
	demanding.ClientAuth, demanding.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
	demanding12 := demanding.Clone()
	demanding12.MaxVersion = tls.VersionTLS12
	further := fault.New(fault.Policy, "its own", "its own")
	for name, c := range map[string]struct {
		client, server *tls.Config
		kind           fault.Kind
		hint           string
	}{
		"another root":             {&tls.Config{RootCAs: other.pool()}, serving, fault.NotTrusted, "root"},
		"another name":             {&tls.Config{RootCAs: ca.pool(), ServerName: "h"}, serving, fault.NotTrusted, "host"},
		"ended":                    {&tls.Config{RootCAs: ca.pool(), Time: tomorrow}, serving, fault.NotTrusted, "clock"},
		"no certificate of ours":   {&tls.Config{RootCAs: ca.pool()}, demanding, fault.NotPermitted, "ours"},
		"none of ours in TLS 1.2":  {&tls.Config{RootCAs: ca.pool()}, demanding12, fault.NotPermitted, "ours"},
		"a foreign one of ours":    {&tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{other.leaf(t, false)}}, demanding, fault.NotPermitted, "ours"},
		"a foreign one in TLS 1.2": {&tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{other.leaf(t, false)}}, demanding12, fault.NotPermitted, "ours"},
		"the caller's own check": {&tls.Config{RootCAs: ca.pool(), Certificates: ours,
			VerifyConnection: func(tls.ConnectionState) error { return further }}, demanding, fault.Policy, "its own"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := shake(t, Verifying(c.client, "h", nil), c.server)
			told := server.Fault(err)
			if fault.KindOf(told) != c.kind || !strings.Contains(fault.HintOf(told), c.hint) || !errors.Is(told, err) && c.kind != fault.Policy {
				t.Errorf("%v: %v (%s)", err, told, fault.HintOf(told))
			}
			if c.kind != fault.Policy && !strings.HasPrefix(told.Error(), "the relay at h:1 ") {
				t.Errorf("it is told as %q", told)
			}
		})
	}
	old := &tls.Config{Certificates: serving.Certificates, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	_, _, oldErr := shake(t, Verifying(&tls.Config{RootCAs: ca.pool()}, "h", nil), old)
	for name, err := range map[string]error{"nothing": nil, "the network": io.ErrUnexpectedEOF, "an old version": oldErr, "an alert of ours": &net.OpError{Op: "local error", Err: tls.AlertError(48)}} {
		if told := server.Fault(err); told != nil {
			t.Errorf("%s: %v", name, told)
		}
	}
}
