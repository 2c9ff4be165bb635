package export

import (
	"encoding/base64"
	"fmt"
	"strings"

	"keyward/certs"
	"keyward/fault"
)

// kubernetes is a Secret of the type kubernetes.io/tls, as YAML that is written by hand: its values
// are base64 and names, which are quoted since 123 and true are names too. ca.crt is the root, where it is known.
func (s Source) kubernetes(name string) ([]byte, error) {
	name, err := secretName(name)
	if err != nil {
		return nil, err
	}
	if s.Namespace != "" && !isLabel(s.Namespace) {
		return nil, fault.New(fault.Usage, "a namespace is small letters, digits and -, at most 63", "%q is not the name of a Kubernetes namespace", s.Namespace)
	}
	key, err := certs.KeyPEM(s.Key, nil)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %q\n", name)
	if s.Namespace != "" {
		fmt.Fprintf(&b, "  namespace: %q\n", s.Namespace)
	}
	b.WriteString("type: kubernetes.io/tls\ndata:\n")
	field := func(name string, text []byte) {
		fmt.Fprintf(&b, "  %s: %s\n", name, base64.StdEncoding.EncodeToString(text))
	}
	field("tls.crt", certs.ChainPEM(s.Chain))
	field("tls.key", key)
	if root := s.Root(); root != nil {
		field("ca.crt", certs.CertificatePEM(root))
	}
	return []byte(b.String()), nil
}

// secretName makes a subdomain name of RFC 1123, which a Secret has, from a file's name.
func secretName(file string) (string, error) {
	var labels []string
	for label := range strings.SplitSeq(strings.ToLower(file), ".") {
		label = strings.Map(func(r rune) rune {
			if isLetterOrDigit(r) {
				return r
			}
			return '-'
		}, label)
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	name := strings.Join(labels, ".")
	if name == "" || len(name) > 253 {
		return "", fault.New(fault.Usage, "give a --cert-basename with letters or digits, at most 253", "%q makes no name of a Kubernetes Secret", file)
	}
	return name, nil
}

// isLabel tells whether s is a label of RFC 1123.
func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "-") == s &&
		strings.IndexFunc(s, func(r rune) bool { return r != '-' && !isLetterOrDigit(r) }) < 0
}

func isLetterOrDigit(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
