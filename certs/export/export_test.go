package export_test

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/fault"
)

// family is a leaf with its chain, the leaf first and the root last.
func family(t testing.TB) export.Source {
	t.Helper()
	var issuer *certs.Issuer
	var last *certs.Issued
	for _, role := range []certs.Role{certs.Root, certs.Intermediate, certs.Leaf} {
		issued, err := certs.Issue(certs.Request{Role: role, Organization: role.String()}, issuer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if role != certs.Leaf {
			issuer = issued.Issuer()
		}
		last = issued
	}
	return export.Source{Chain: append([]*x509.Certificate{last.Cert}, last.Chain...), Key: last.Key}
}

func TestFormatsAreTheSameEachTime(t *testing.T) {
	from := family(t)
	for _, format := range export.Formats() {
		first, err := export.File(format, "dir/web", from, nil)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		again, err := export.File(format, "dir/web", from, nil)
		if same := bytes.Equal(first.Data, again.Data); err != nil || same == format.TakesPassword() {
			t.Errorf("%s: the same %v, %v", format, same, err)
		}
		if private := first.Mode == 0o600; private != format.TakesKey() || !strings.HasPrefix(first.Name, "web.") {
			t.Errorf("%s: %s with the mode %o", format, first.Name, first.Mode)
		}
		if parsed, err := export.ParseFormat(string(format)); parsed != format || err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestPKCS12HoldsAll(t *testing.T) {
	from := family(t)
	for _, format := range []export.Format{export.PKCS12, export.PKCS12Legacy} {
		file, err := export.File(format, "web", from, []byte("sécret"))
		if err != nil {
			t.Fatal(err)
		}
		key, cert, above, err := pkcs12.DecodeChain(file.Data, "sécret")
		if err != nil || key == nil || !cert.Equal(from.Chain[0]) || len(above) != 2 {
			t.Errorf("%s: %d above, %v", format, len(above), err)
		}
		if _, err := export.File(format, "web", from, []byte("😀")); fault.KindOf(err) != fault.Usage || strings.Contains(err.Error(), "😀") {
			t.Errorf("%s with a password that does not fit: %v", format, err)
		}
	}
}

func TestOrder(t *testing.T) {
	chain, other := family(t).Chain, family(t).Chain
	for _, tt := range []struct {
		name   string
		others []*x509.Certificate
		length int // 0 for an error
	}{
		{"in order", chain[1:], 3},
		{"upside down, and twice", []*x509.Certificate{chain[2], chain[1], chain[2], chain[0], chain[1]}, 3},
		{"none", nil, 1},
		{"a gap", chain[2:], 0},
		{"a namesake", other[1:], 0},
		{"one too many", append(other[2:], chain[1:]...), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := export.Order(chain[0], tt.others)
			if len(got) != tt.length || (err == nil) != (tt.length > 0) || err != nil && fault.KindOf(err) != fault.InvalidFile {
				t.Fatalf("%d certificates, %v", len(got), err)
			}
			for i, cert := range got {
				if !cert.Equal(chain[i]) {
					t.Errorf("%d is %q", i, cert.Subject)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	from, other := family(t), family(t)
	for _, tt := range []struct {
		name   string
		format export.Format
		base   string
		from   export.Source
		kind   fault.Kind
	}{
		{"no key", export.PKCS12, "web", export.Source{Chain: from.Chain}, fault.Usage},
		{"another's key", export.PKeyCert, "web", export.Source{Chain: from.Chain, Key: other.Key}, fault.Policy},
		{"no certificate", export.DER, "web", export.Source{}, fault.InvalidFile},
		{"no issuer", export.FullChain, "web", export.Source{Chain: from.Chain[:1]}, fault.NotFound},
		{"no intermediate", export.Chain, "web", export.Source{Chain: from.Chain[2:]}, fault.NotFound},
		{"nobody to trust", export.TrustStore, "web", export.Source{Chain: from.Chain[:1]}, fault.NotFound},
		{"a rare name", export.TrustStore, "😀", from, fault.Usage},
		{"no such format", "jks", "web", from, fault.Usage},
		{"a name without a letter", export.Kubernetes, "_", from, fault.Usage},
		{"a long name", export.Kubernetes, strings.Repeat("a", 254), from, fault.Usage},
		{"a namespace of two labels", export.Kubernetes, "web", export.Source{Chain: from.Chain, Key: from.Key, Namespace: "a.b"}, fault.Usage},
		{"a namespace that is YAML", export.Kubernetes, "web", export.Source{Chain: from.Chain, Key: from.Key, Namespace: "a\nb: c"}, fault.Usage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := export.File(tt.format, tt.base, tt.from, nil); fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" {
				t.Errorf("%v (%s), want %v", err, fault.HintOf(err), tt.kind)
			}
		})
	}
}
