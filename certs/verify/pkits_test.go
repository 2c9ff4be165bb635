package verify_test

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyward/certs/verify"
)

// pkitsCase is a case of NIST's PKITS, as the Go distribution has them for the tests of crypto/x509.
type pkitsCase struct {
	Name                        string
	CertPath                    []string
	InitialPolicySet            []string
	InitialPolicyMappingInhibit bool
	InitialExplicitPolicy       bool
	InitialAnyPolicyInhibit     bool
	ShouldValidate              bool
}

// pkitsAt is within the certificates' time: 2010 to 2030.
var pkitsAt = time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)

const (
	dsaGo       = "crypto/x509 does not verify DSA"
	namesGo     = "crypto/x509 compares names byte by byte, not as RFC 5280 section 7.1 has it"
	pathlenGo   = "crypto/x509 counts self-issued certificates in path lengths"
	directoryNC = "crypto/x509 does not process directoryName constraints, and refuses what has critical ones"
	subdomainGo = "crypto/x509 takes an excluded host for all below it too"
)

// pkitsStricter are cases that PKITS calls valid and we refuse, with the reason.
var pkitsStricter = map[string]string{
	"4.1.4 Valid DSA Signatures Test4":                                dsaGo,
	"4.1.5 Valid DSA Parameter Inheritance Test5":                     dsaGo,
	"4.3.3 Valid Name Chaining Whitespace Test3":                      namesGo,
	"4.3.4 Valid Name Chaining Whitespace Test4":                      namesGo,
	"4.3.5 Valid Name Chaining Capitalization Test5":                  namesGo,
	"4.3.10 Valid Rollover from PrintableString to UTF8String Test10": namesGo,
	"4.3.11 Valid UTF8String Case Insensitive Match Test11":           namesGo,
	"4.6.15 Valid Self-Issued pathLenConstraint Test15":               pathlenGo,
	"4.6.17 Valid Self-Issued pathLenConstraint Test17":               pathlenGo,
	"4.13.1 Valid DN nameConstraints Test1":                           directoryNC,
	"4.13.4 Valid DN nameConstraints Test4":                           directoryNC,
	"4.13.5 Valid DN nameConstraints Test5":                           directoryNC,
	"4.13.6 Valid DN nameConstraints Test6":                           directoryNC,
	"4.13.11 Valid DN nameConstraints Test11":                         directoryNC,
	"4.13.14 Valid DN nameConstraints Test14":                         directoryNC,
	"4.13.18 Valid DN nameConstraints Test18":                         directoryNC,
	"4.13.19 Valid Self-Issued DN nameConstraints Test19":             directoryNC,
	"4.13.25 Valid RFC822 nameConstraints Test25":                     subdomainGo,
	"4.13.27 Valid DN and RFC822 nameConstraints Test27":              directoryNC,
	"4.13.36 Valid URI nameConstraints Test36":                        subdomainGo,
}

// pkitsStrict is what crypto/x509 lets pass, and --strict does not: it takes a permitted host for all below it too.
const pkitsStrict = "4.13.24 Invalid RFC822 nameConstraints Test24"

// pkitsRevoked are cases, beside three families, that only a CRL makes invalid. The Go distribution has PKITS's
// certificates and not its CRLs; TestCRL has cases of our own.
var (
	pkitsRevokedFamilies = []string{"4.4.", "4.14.", "4.15."}
	pkitsRevoked         = []string{
		"4.5.2 Invalid Basic Self-Issued Old With New Test2",
		"4.5.5 Invalid Basic Self-Issued New With Old Test5",
		"4.5.7 Invalid Basic Self-Issued CRL Signing Key Test7",
		"4.7.4 Invalid keyUsage Critical cRLSign False Test4",
		"4.7.5 Invalid keyUsage Not Critical cRLSign False Test5",
	}
)

// TestPKITS answers NIST's suite as it has it, but for what is listed above and the policies that Options cannot say.
func TestPKITS(t *testing.T) {
	dir, cases := readPKITS(t)
	var valid, invalid, stricter, policies, revoked int
	for _, c := range cases {
		want := c.ShouldValidate
		switch {
		case c.needsPolicies():
			policies++
			continue
		case c.needsCRL():
			revoked++
			continue
		case pkitsStricter[c.Name] != "":
			if !want {
				t.Errorf("%s is invalid as it stands", c.Name)
			}
			want = false
			stricter++
		case want:
			valid++
		default:
			invalid++
		}
		t.Run(c.Name, func(t *testing.T) {
			if err := c.verify(t, dir, c.Name == pkitsStrict); (err == nil) != want {
				t.Errorf("valid: %v, want %v: %v", err == nil, want, err)
			} else if c.Name == pkitsStrict && !strings.Contains(err.Error()+violationsOf(err), "permit only") {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
	t.Logf("%d valid, %d invalid as PKITS has them; %d refused more strictly; left out: %d for initial policies, %d for CRLs", valid, invalid, stricter, policies, revoked)
	if got := [...]int{valid, invalid, stricter, policies, revoked}; got != [...]int{48, 75, 20, 35, 71} {
		t.Errorf("the suite is another one: %v", got)
	}
}

func readPKITS(t *testing.T) (dir string, cases []pkitsCase) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("no go command: %v", err)
	}
	dir = filepath.Join(strings.TrimSpace(string(out)), "src", "crypto", "x509", "testdata", "nist-pkits")
	data, err := os.ReadFile(filepath.Join(dir, "vectors.json"))
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("a Go distribution without tests: %v", err)
	}
	if err := cmp.Or(err, json.Unmarshal(data, &cases)); err != nil {
		t.Fatal(err)
	}
	return dir, cases
}

func (c pkitsCase) needsCRL() bool {
	return slices.Contains(pkitsRevoked, c.Name) || slices.ContainsFunc(pkitsRevokedFamilies, func(family string) bool { return strings.HasPrefix(c.Name, family) })
}

// needsPolicies tells whether a case gives the initial policies of RFC 5280 section 6.1.1, for which verify has no options.
func (c pkitsCase) needsPolicies() bool {
	return c.InitialPolicyMappingInhibit || c.InitialExplicitPolicy || c.InitialAnyPolicyInhibit || !slices.Equal(c.InitialPolicySet, []string{"anyPolicy"})
}

func (c pkitsCase) verify(t *testing.T, dir string, strict bool) error {
	var chain []*x509.Certificate
	for _, file := range c.CertPath {
		raw, err := os.ReadFile(filepath.Join(dir, "certs", file))
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			return err
		}
		chain = append(chain, cert)
	}
	last := len(chain) - 1
	_, err := verify.Chain(chain[last], verify.Options{Roots: chain[:1], Intermediates: chain[1:last], At: pkitsAt, Strict: strict})
	return err
}

func violationsOf(err error) string {
	e, _ := errors.AsType[*verify.Error](err)
	return fmt.Sprint(e.Violations)
}
