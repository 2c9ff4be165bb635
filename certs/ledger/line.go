package ledger

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"keyward/fault"
)

// maxLine is the most bytes of a line, its newline included: 100 times what 100 names take.
const maxLine = 4 << 20

// prefix stands before what is signed, so that no signature of a ledger can be used elsewhere: a
// TBSCertificate and a CRL begin with 0x30, what TLS 1.3 signs with spaces, and what TLS 1.2 signs with
// 32 bytes that the other side draws at random.
const prefix = "keyward ledger of a certificate authority, version 1\n"

// beforeSig stands between what is signed and the signature, which is the line's last field.
const beforeSig, afterSig = `,"sig":"`, "\"}\n"

// Sum is the SHA-256 of a line with its newline.
type Sum [sha256.Size]byte

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Head is a ledger's last line: its number and its SHA-256. The head of an empty one is its start.
type Head struct {
	Seq int64
	Sum Sum
}

func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Sum) }

// ParseHead reads what Head's String wrote. What is no head is fault.Usage.
func ParseHead(s string) (h Head, err error) {
	seq, sum, _ := strings.Cut(strings.TrimSpace(s), ":")
	h.Seq, err = strconv.ParseInt(seq, 10, 64)
	raw, hexErr := hex.DecodeString(sum)
	if err = errors.Join(err, hexErr); err != nil || h.Seq < 1 || len(raw) != len(h.Sum) {
		return h, fault.New(fault.Usage, "give what `keyward ledger head` printed: a number, a colon and 64 hex digits", "%q is not the head of a ledger", s)
	}
	copy(h.Sum[:], raw)
	return h, nil
}

// start is the head before the first line.
func start(ca *x509.Certificate) Head { return Head{Sum: sha256.Sum256(ca.RawSubjectPublicKeyInfo)} }

func pinOf(ca *x509.Certificate) string { return "sha256:" + start(ca).Sum.String() }

// next is the line that follows head, and the head that it becomes.
func (h Head) next(entry Entry, key crypto.Signer) ([]byte, Head, error) {
	entry.Seq, entry.Prev = h.Seq+1, h.Sum.String()
	body, err := json.Marshal(entry)
	if err != nil {
		return nil, h, fault.New(fault.Failed, "", "encode a line of the ledger: %w", err)
	}
	body = body[:len(body)-1] // without the closing brace
	sig, err := sign(key, body)
	if err != nil {
		return nil, h, fault.New(fault.Failed, "", "sign a line of the ledger: %w", err)
	}
	line := slices.Concat(body, []byte(beforeSig), []byte(base64.StdEncoding.EncodeToString(sig)), []byte(afterSig))
	if len(line) > maxLine {
		return nil, h, fault.New(fault.Policy, "give it fewer names", "a line of the ledger of more than %d bytes", maxLine)
	}
	return line, Head{entry.Seq, sha256.Sum256(line)}, nil
}

func message(body []byte) []byte { return slices.Concat([]byte(prefix), body) }

// sign is ECDSA or RSA (PKCS #1 version 1.5) over SHA-256, or Ed25519.
func sign(key crypto.Signer, body []byte) ([]byte, error) {
	if _, pure := key.Public().(ed25519.PublicKey); pure {
		return key.Sign(rand.Reader, message(body), crypto.Hash(0))
	}
	digest := sha256.Sum256(message(body))
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func algorithm(ca *x509.Certificate) x509.SignatureAlgorithm {
	switch ca.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return x509.ECDSAWithSHA256
	case *rsa.PublicKey:
		return x509.SHA256WithRSA
	case ed25519.PublicKey:
		return x509.PureEd25519
	}
	return x509.UnknownSignatureAlgorithm
}

// line is a line as it was read.
type line struct {
	Entry
	sum  Sum
	body []byte // what is signed, without the prefix
	sig  []byte
}

var errNoLine = errors.New("it does not read as a line of a ledger")

// parse takes a line with its newline apart. It checks no signature.
func parse(text []byte) (line, error) {
	l := line{sum: sha256.Sum256(text)}
	at := bytes.LastIndex(text, []byte(beforeSig))
	if at < 0 || !bytes.HasSuffix(text, []byte(afterSig)) || at+len(beforeSig) > len(text)-len(afterSig) {
		return l, errNoLine
	}
	var err error
	if l.sig, err = base64.StdEncoding.Strict().DecodeString(string(text[at+len(beforeSig) : len(text)-len(afterSig)])); err != nil {
		return l, errNoLine
	}
	l.body = text[:at]
	if err := json.Unmarshal(slices.Concat(l.body, []byte("}")), &l.Entry); err != nil {
		return l, fmt.Errorf("%w: %w", errNoLine, err)
	}
	return l, l.check()
}

// check refuses an entry that lacks what its operation needs.
func (e Entry) check() error {
	switch e.Op {
	case Begin, Issue, Renew, Revoke, Release:
		if !isSerial(e.Serial) {
			return fmt.Errorf("%w: the serial number is %q", errNoLine, e.Serial)
		}
	case CRL:
		if e.Number < 1 {
			return fmt.Errorf("%w: a CRL of number %d", errNoLine, e.Number)
		}
	default:
		return fmt.Errorf("%w: this keyward does not know the operation %q", errNoLine, e.Op)
	}
	return nil
}

// isSerial tells whether s is lower-case hex, two digits a byte.
func isSerial(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) > 0 && s == strings.ToLower(s)
}

// signedBy tells whether the line's signature is by the CA's key.
func (l line) signedBy(ca *x509.Certificate) bool {
	return ca.CheckSignature(algorithm(ca), message(l.body), l.sig) == nil
}
