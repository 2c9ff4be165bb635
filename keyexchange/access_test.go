package keyexchange

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"keyward/fault"
)

// caller is a visitor from an address, with these names in a certificate; without names it shows none.
func caller(address string, names ...string) Visitor {
	v := Visitor{}
	if address != "" {
		v.Address = netip.AddrPortFrom(netip.MustParseAddr(address), 40000)
	}
	if names != nil {
		v.Certificate = &x509.Certificate{Raw: []byte("certificate"), RawSubjectPublicKeyInfo: []byte("key"), DNSNames: names}
	}
	return v
}

func TestAccess(t *testing.T) {
	tests := []struct {
		text string
		who  Visitor
		want string // "" is permitted
	}{
		{"", caller("10.0.0.1"), "no rule"},
		{"# nobody\n\n", caller("10.0.0.1", "a"), "no rule"},
		{"allow *", caller("10.0.0.1"), ""},
		{"allow *", caller(""), ""},
		{"deny *", caller("10.0.0.1"), "a rule says: deny *"},
		{"allow from:10.0.0.0/8", caller("10.255.0.1"), ""},
		{"allow from:10.0.0.0/8", caller("11.0.0.1"), "no rule"},
		{"allow from:10.0.0.0/8", caller("2001:db8::1"), "no rule"},
		{"allow from:0.0.0.0/0", caller("2001:db8::1"), "no rule"},
		{"allow from:0.0.0.0/0,from:::/0", caller(""), "no rule"},
		{"allow from:2001:db8::/32", caller("2001:db8:1::1"), ""},
		{"allow from:2001:db8::1", caller("2001:db8::1"), ""},
		{"allow from:2001:db8::1", caller("2001:db8::2"), "no rule"},
		{"allow from:::ffff:10.0.0.1", caller("10.0.0.1"), ""},
		{"deny from:fe80::/10\nallow *", caller("fe80::1%eth0"), "a rule says: deny from:fe80::/10"},
		{"allow from:fe80::1", caller("fe80::1%eth0"), ""},
		{"allow dns:a", caller("10.0.0.1", "A"), ""},
		{"allow dns:a", caller("10.0.0.1"), "no rule"},
		{"allow dns:b,dns:a", caller("10.0.0.1", "a"), ""},
		{"allow dns:a dns:b", caller("10.0.0.1", "a"), "no rule"},
		{"allow dns:a dns:b", caller("10.0.0.1", "b", "a"), ""},
		{"allow dns:a from:10.0.0.0/8", caller("10.0.0.1", "a"), ""},
		{"allow dns:a from:10.0.0.0/8", caller("11.0.0.1", "a"), "no rule"},
		{"allow dns:a from:10.0.0.0/8", caller("10.0.0.1", "b"), "no rule"},
		{"allow dns:a,from:10.0.0.0/8", caller("10.0.0.1"), ""},
		{"allow * dns:a", caller("10.0.0.1"), "no rule"},
		{"deny from:10.1.0.0/16\nallow from:10.0.0.0/8", caller("10.1.2.3"), "deny from:10.1.0.0/16"},
		{"allow from:10.0.0.0/8\ndeny from:10.1.0.0/16", caller("10.1.2.3"), ""},
		{"deny dns:a\nallow from:10.0.0.0/8", caller("10.1.2.3", "a"), "deny dns:a"},
		{"deny dns:a\nallow from:10.0.0.0/8", caller("10.1.2.3"), ""},
	}
	for _, tt := range tests {
		access, err := ParseAccess("access", []byte(tt.text))
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		switch err := access.Permit(tt.who); {
		case err == nil && tt.want != "", err != nil && (tt.want == "" || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q for %v: %v, want %q", tt.text, tt.who.Address, err, tt.want)
		}
	}
}

func TestAccessNeedsCertificates(t *testing.T) {
	for text, want := range map[string][2]bool{
		"": {}, "allow *\ndeny from:::/0": {}, "allow dns:a": {true, false}, "deny from:10.0.0.1,dns:a": {true, true}, "deny *\nallow * o:a": {true, false},
	} {
		access, err := ParseAccess("access", []byte(text))
		check(t, err)
		if some, deny := access.NeedsCertificates(); [2]bool{some, deny} != want {
			t.Errorf("%q: %v %v, want %v", text, some, deny, want)
		}
	}
}

func TestAccessMistakes(t *testing.T) {
	tests := []struct{ text, want, hint string }{
		{"allow *\nallow", "access:2:1: the rule does not say whom it is about", "a star for everybody"},
		{"  deny # nobody", "access:1:3: the rule does not say", ""},
		{"permit *", `access:1:1: "permit" is no verb of a rule`, "begin the line with allow or deny"},
		{"Allow *", `access:1:1: "Allow" is no verb`, ""},
		{"* allow", `access:1:1: "*" is no verb`, ""},
		{"allow 10.0.0.0/8", `access:1:7: "10.0.0.0/8" is no identity`, "write from:10.0.0.0/8 for"},
		{"allow from:10.0.0.0/8,10.1.0.0/16", `access:1:23: "10.1.0.0/16" is no identity`, "write from:10.1.0.0/16 for"},
		{"allow from:", `access:1:7: "" is no address`, "10.0.0.0/8"},
		{"allow from:host", `access:1:7: "host" is no address`, ""},
		{"allow from:10.0.0.0/33", `access:1:7: "10.0.0.0/33" is no prefix of addresses`, ""},
		{"allow from:10.0.0/8", `is no prefix of addresses`, ""},
		{"allow dns:a from:10.0.0.1/8", `access:1:13: "10.0.0.1/8" has more of an address than its length`, "write 10.0.0.0/8 for all of them"},
		{"allow from:::ffff:10.0.0.0/104", `is none that a client comes from`, "IPv4"},
		{"allow from:fe80::1%eth0", `"fe80::1%eth0" is no address`, ""},
		{"allow from:fe80::%eth0/64", `is no prefix`, ""},
		{"allow *,dns:a", `access:1:7: "*" is no identity`, "a star for all"},
		{`allow "*"`, `access:1:7: "*" is no identity`, ""},
		{"allow cn:a", `access:1:7: "cn:a" is no identity`, ""},
		{"allow dns:a,", `access:1:13: "" is no identity`, ""},
		{"allow o:Acme Inc", `access:1:14: "Inc" is no identity`, ""},
		{`allow "o:a`, "access:1:7: this double quote has no end", ""},
		{"allow \xff", "access:1:1: the line is not UTF-8", ""},
	}
	for _, tt := range tests {
		_, err := ParseAccess("access", []byte(tt.text))
		if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(fault.HintOf(err), tt.hint) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v (%s)", tt.text, err, fault.HintOf(err))
		}
	}
}

// FuzzParseAccess holds that rules which are read let nobody in that no line allows, and nobody below a line that denies all.
func FuzzParseAccess(f *testing.F) {
	for _, text := range []string{
		"", "# a\n", "allow *\n", "deny from:10.9.0.0/16\nallow from:10.0.0.0/8,from:2001:db8::/32\r\n", "allow dns:a,uri:spiffe://a/b from:192.0.2.7",
		"deny *\nallow *", "\ufeffallow o:\"Acme, Inc.\" # c", "allow from:::ffff:10.0.0.1 *", "allow from:10.0.0.1/8", "allow *,dns:a", "deny", "allow \"*\"", "allow from:", "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		access, err := ParseAccess("access", text)
		if err != nil {
			if !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
				t.Errorf("%v has no kind or hint", err)
			}
			return
		}
		closed, err := ParseAccess("access", append([]byte("deny *\n"), strings.TrimPrefix(string(text), "\ufeff")...))
		check(t, err)
		for _, who := range []Visitor{caller(""), caller("10.0.0.1"), caller("2001:db8::1", "a"), caller("fe80::1%eth0", "b")} {
			if access.Permit(who) == nil && !strings.Contains(string(text), "allow") {
				t.Error("somebody comes whom no line allows")
			}
			if closed.Permit(who) == nil {
				t.Error("somebody comes below a line that denies all")
			}
		}
	})
}
