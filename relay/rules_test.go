package relay

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"keyward/fault"
)

// known is a visitor with a name of each kind.
func known(t testing.TB, meetup string) *Visitor {
	t.Helper()
	uri, err := url.Parse("spiffe://example.org/gateway")
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{Meetup: meetup, Certificate: &x509.Certificate{
		Raw: []byte("certificate"), RawSubjectPublicKeyInfo: []byte("key"),
		Subject:        pkix.Name{Organization: []string{"Acme, Inc.", "Other"}, CommonName: "common"},
		DNSNames:       []string{"Gateway.example.org"},
		EmailAddresses: []string{"Alice@Example.org"},
		URIs:           []*url.URL{uri},
		IPAddresses:    []net.IP{net.ParseIP("10.0.0.1"), net.ParseIP("2001:db8::1")},
	}}
}

// nobody has none of these names.
func nobody(meetup string) *Visitor {
	return &Visitor{Meetup: meetup, Certificate: &x509.Certificate{Raw: []byte("other"), RawSubjectPublicKeyInfo: []byte("other")}}
}

// hashOf is an identity by a SHA-256.
func hashOf(kind string, data []byte) string { return fmt.Sprintf("%s:%x", kind, sha256.Sum256(data)) }

func TestRulesIdentities(t *testing.T) {
	tests := []struct {
		identity string
		want     bool
	}{
		{"sha256:5a2c6fe4a6d2ebbd9acd80fac8c0e1f1ad8b9e8a7d7d1f9b9b9c7f6d7f4c5c7a", false},
		{hashOf("sha256", []byte("certificate")), true},
		{hashOf("sha256", []byte("key")), true},
		{hashOf("sha256", []byte("names")), false},
		{"key:" + hashOf("sha256", []byte("key")), true},
		{"key:" + hashOf("sha256", []byte("certificate")), false},
		{hashOf("key", []byte("key")), true},
		{hashOf("key", []byte("certificate")), false},
		{"dns:gateway.example.org", true},
		{"dns:GATEWAY.EXAMPLE.ORG", true},
		{"dns:example.org", false},
		{"dns:*.example.org", false},
		{"dns:common", false},
		{"uri:spiffe://example.org/gateway", true},
		{"uri:spiffe://example.org/Gateway", false},
		{"uri:spiffe://example.org/gateway/", false},
		{"email:Alice@EXAMPLE.ORG", true},
		{"email:alice@example.org", false},
		{"ip:10.0.0.1", true},
		{"ip:::ffff:10.0.0.1", true},
		{"ip:2001:DB8:0::1", true},
		{"ip:10.0.0.2", false},
		{`"o:Acme, Inc."`, true},
		{`o:"Acme, Inc."`, true},
		{"o:Other", true},
		{"o:other", false},
		{"o:Acme", false},
		{`"subject:CN=common,O=Acme\, Inc.+O=Other"`, true},
		{"subject:CN=common", false},
		{"o:Nobody,o:Other", true},
		{"o:Nobody,dns:nowhere", false},
		{"*", true},
	}
	for _, tt := range tests {
		for _, line := range []string{"m " + tt.identity + " o:Nobody", "m o:Nobody " + tt.identity} {
			rules, err := ParseRules("rules", []byte(line))
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if got := rules.Permit(*known(t, "m"), nil); (got == nil) != tt.want {
				t.Errorf("%s: %v", line, got)
			}
		}
	}
}

func TestRulesMeetings(t *testing.T) {
	const text = "\ufeff# who meets whom\r\n" +
		"\r\n" +
		"pair/* o:Other sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa # the two\r\n" +
		"open * *\r\n" +
		"\"a b*\"* * *\n" +
		"\"\" * o:Other"
	rules, err := ParseRules("rules", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		meetup                  string
		known, nobody           bool // may come
		mixed, knowns, nobodies bool // may meet
	}{
		{"pair/1", true, true, true, false, false},
		{"pair/", true, true, true, false, false},
		{"pair", false, false, false, false, false},
		{"open", true, true, true, true, true},
		{"opened", false, false, false, false, false},
		{"a b*c", true, true, true, true, true},
		{"a bc", false, false, false, false, false},
		{"", true, true, true, true, false},
	}
	for _, tt := range tests {
		is, not := known(t, tt.meetup), nobody(tt.meetup)
		for _, ask := range []struct {
			what      string
			who, mate *Visitor
			want      bool
		}{
			{"known comes", is, nil, tt.known}, {"nobody comes", not, nil, tt.nobody},
			{"they meet", is, not, tt.mixed}, {"they meet the other way", not, is, tt.mixed},
			{"two known meet", is, is, tt.knowns}, {"two nobodies meet", not, not, tt.nobodies},
		} {
			want := errMayNotCome
			if ask.mate != nil {
				want = errMayNotMeet
			}
			err := rules.Permit(*ask.who, ask.mate)
			if (err == nil) != ask.want || err != nil && !errors.Is(err, want) {
				t.Errorf("%q: %s: %v", tt.meetup, ask.what, err)
			}
		}
	}
}

func TestRulesAllowNobody(t *testing.T) {
	for _, text := range []string{"", "# nobody\n", "\n\n \t\n"} {
		rules, err := ParseRules("rules", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if rules.Permit(*known(t, "m"), nil) == nil {
			t.Errorf("%q lets somebody come", text)
		}
	}
}

func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern, id string
		want        bool
	}{
		{"*", "", true}, {"*", "a/b?c=d", true}, {"a", "a", true}, {"a", "ab", false}, {"a", "", false},
		{"a*", "a", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "abc", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "acb", false},
		{"**", "", true}, {"a**a", "aa", true}, {"*ab*ab*", "ab", false}, {"*ab*ab*", "abab", true},
	}
	for _, tt := range tests {
		if got := pattern(strings.Split(tt.pattern, "*")).matches(tt.id); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.id, got)
		}
	}
}

func TestRulesMistakes(t *testing.T) {
	tests := []struct{ text, want, hint string }{
		{"m * *\nm *", "rules:2:3: a rule is a pattern of meetup ids and two sides, and this line ends before", "write MEETUP LEFT RIGHT"},
		{"m", "rules:1:1: a rule is", "write MEETUP"},
		{"m * * # a\nm * * a", `rules:2:7: "a" is too much`, "double quotes"},
		{"m o:Acme Inc *", `rules:1:14: "*" is too much`, "double quotes"},
		{"m subjct:a *", `rules:1:3: "subjct:a" is no identity`, "did you mean subject:?"},
		{"m  * dns:a,host:b", `rules:1:12: "host:b" is no identity`, "write a star for all, or sha256:, key:, dns:, uri:, email:, ip:, o:, subject:, and what it has to be"},
		{`m * "*"`, `rules:1:5: "*" is no identity`, "write a star for all"},
		{"m *,o:a *", `rules:1:3: "*" is no identity`, ""},
		{"m o:a, *", `rules:1:7: "" is no identity`, ""},
		{`m "" *`, `rules:1:3: "" is no identity`, ""},
		{"m,n * *", "rules:1:1: a comma in the pattern of meetup ids", "a line for each"},
		{`ä "o:ä` + "\n", "rules:1:3: this double quote has no end", "write two"},
		{"m sha256:12 *", `rules:1:3: "sha256:12" is no SHA-256`, "64 hex digits"},
	}
	for _, tt := range tests {
		_, err := ParseRules("rules", []byte(tt.text))
		if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(fault.HintOf(err), tt.hint) {
			t.Errorf("%q: %v (%s)", tt.text, err, fault.HintOf(err))
		}
	}
}

// TestRulesOfThePage reads the rules that docs/relay.md shows.
func TestRulesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../docs/relay.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```\n# MEETUP")
	text, _, found := strings.Cut(rest, "```")
	rules, err := ParseRules("docs/relay.md", []byte("#"+text))
	if !found || err != nil || rules.Len() < 3 {
		t.Errorf("%v in %q", err, text)
	}
}

// FuzzParseRules holds that rules which are read can be asked, and allow no stranger what a star does not.
func FuzzParseRules(f *testing.F) {
	for _, text := range []string{
		"", "# a\n", "m * *\n", "gateway-*  o:\"Acme, Inc.\"   dns:manager.example.org,dns:spare.example.org\n", "\"a \"\"b\"\"\"* ip:::1 email:a@b\r\n",
		"* " + hashOf("sha256", nil) + " " + hashOf("key", nil), "\ufeffm uri:spiffe://a/b subject:O=a", "m o:a#b * # c", "m \"o:a", "m *,o:b *", "\xff",
	} {
		f.Add([]byte(text), "m")
	}
	f.Fuzz(func(t *testing.T, text []byte, meetup string) {
		rules, err := ParseRules("rules", text)
		if err != nil {
			if !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
				t.Errorf("%v has no kind or hint", err)
			}
			return
		}
		who, stranger := known(t, meetup), nobody(meetup)
		if (rules.Permit(*who, stranger) == nil) != (rules.Permit(*stranger, who) == nil) {
			t.Error("who came first counts")
		}
		if rules.Permit(*who, stranger) == nil && (rules.Permit(*who, nil) != nil || rules.Permit(*stranger, nil) != nil) {
			t.Error("two may meet who may not come")
		}
		if rules.Permit(*stranger, nil) == nil && !strings.Contains(string(text), "*") && !strings.Contains(string(text), ":") {
			t.Error("a stranger comes without a star")
		}
	})
}
