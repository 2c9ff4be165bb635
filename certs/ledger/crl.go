package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"path/filepath"
	"strings"
	"time"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// maxCRL is the largest CRL that is read, in bytes.
const maxCRL = 64 << 20

// CRLPath is where a CA's revocation list lies: beside its certificate, root.crl.pem for root.cert.pem.
func CRLPath(caCertFile string) string { return Basename(caCertFile) + ".crl.pem" }

// WriteCRL signs a list of what the ledger says is revoked (RFC 5280 section 5) and puts it in the place of
// the one at out, as PEM, or as DER where out ends so. Beside an out that ends in .crl.pem goes the same
// in .crl.der. It gives the list and its files; known is Update's.
//
// The list's number is one more than the highest in the ledger, an imported one included, or in the file that is
// replaced, and is noted in the ledger before the list is placed. A certificate that has ended stays on it until a
// list that was made after its end had it (section 3.3). A CA whose key usage is not for CRLs is fault.Policy, and a
// ledger that lacks a revocation of the list that is replaced fault.InvalidFile.
func WriteCRL(ctx context.Context, ledgerPath, out string, issuer *certs.Issuer, known *Book, now, next time.Time) (*x509.RevocationList, []string, error) {
	if err := MayList(issuer.Chain[0]); err != nil {
		return nil, nil, err
	}
	dir, name := filepath.Split(out)
	base, both := strings.CutSuffix(name, ".pem")
	both = both && strings.HasSuffix(base, ".crl")
	var list *x509.RevocationList
	var paths []string
	early := known.orRead(ledgerPath, issuer.Chain[0])
	err := durable.Change(ctx, durable.Set{Dir: filepath.Clean(dir), Name: base, Replace: true, Build: func() ([]durable.File, error) {
		last, err := CRLAt(out, issuer.Chain[0])
		if err != nil {
			return nil, err
		}
		if list, err = noteCRL(ctx, ledgerPath, issuer, early, last, now, next); err != nil {
			return nil, err
		}
		text := durable.File{Name: name, Data: pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.Raw}), Mode: 0o644}
		der := durable.File{Name: base + ".der", Data: list.Raw, Mode: 0o644}
		files := []durable.File{text}
		switch {
		case both:
			files = append(files, der)
		case strings.HasSuffix(name, ".der"):
			files[0].Data = list.Raw
		}
		for _, file := range files {
			paths = append(paths, filepath.Join(dir, file.Name))
		}
		return files, nil
	}})
	return list, paths, err
}

// MayList refuses, as fault.Policy, a CA whose lists no verifier takes.
func MayList(ca *x509.Certificate) error {
	switch {
	case ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCRLSign == 0:
		return fault.New(fault.Policy, "use another CA; verifiers take no CRL of this one", "%q may not sign CRLs: its key usage lacks cRLSign", ca.Subject)
	case len(ca.SubjectKeyId) == 0:
		return fault.New(fault.Policy, "use another CA", "%q has no subject key identifier, which its CRLs have to name (RFC 5280 section 5.2.1)", ca.Subject)
	}
	return nil
}

// noteCRL signs the list and notes it in the ledger.
func noteCRL(ctx context.Context, path string, issuer *certs.Issuer, early *Book, last *x509.RevocationList, now, next time.Time) (list *x509.RevocationList, err error) {
	err = Update(ctx, path, issuer, early, now, func(b *Book) ([]Entry, error) {
		if err := b.remembers(last); err != nil {
			return nil, err
		}
		if list, err = b.sign(issuer, max(numberOf(last), b.number)+1, now, next); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(list.Raw)
		return []Entry{{Op: CRL, Number: list.Number.Int64(), NextUpdate: list.NextUpdate, Fingerprint: "sha256:" + hex.EncodeToString(sum[:])}}, nil
	})
	return list, err
}

func (b *Book) sign(issuer *certs.Issuer, number int64, now, next time.Time) (*x509.RevocationList, error) {
	template := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now.UTC().Truncate(time.Second), NextUpdate: next.UTC().Truncate(time.Second)}
	for _, revocation := range b.revocations() {
		if b.listed(revocation, now) {
			continue
		}
		serial, _ := new(big.Int).SetString(revocation.Serial, 16)
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: serial, RevocationTime: revocation.Revoked, ReasonCode: revocation.Reason.Code(),
		})
	}
	ca := *issuer.Chain[0]
	ca.KeyUsage |= x509.KeyUsageCRLSign // crypto/x509 takes none for a ban, and RFC 5280 section 6.3.3 does not
	der, err := x509.CreateRevocationList(rand.Reader, template, &ca, issuer.Key)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "sign the CRL: %w", err)
	}
	return x509.ParseRevocationList(der)
}

// listed tells whether a certificate that has ended was on a list after its end. The last list may have been made while the
// clock was ahead.
func (b *Book) listed(revocation Entry, now time.Time) bool {
	end := revocation.NotAfter
	return !end.IsZero() && revocation.Seq < b.LastCRL.Seq && end.Before(b.LastCRL.Time) && end.Before(now)
}

// remembers refuses to forget what a list of the CA says is revoked.
func (b *Book) remembers(list *x509.RevocationList) error {
	if list == nil {
		return nil
	}
	for _, entry := range list.RevokedCertificateEntries {
		serial, _ := ParseSerial(entry.SerialNumber.Text(16))
		if _, revoked := b.revoked[serial]; !revoked && !b.released[serial] {
			return fault.New(fault.InvalidFile, "restore the newest copy of the ledger, or `keyward ledger import` the index.txt that it is from; a list that is moved away is forgotten",
				"the ledger does not know that the serial number %s is revoked, as the CRL in place says", serial)
		}
	}
	return nil
}

// CRLAt is the CA's list in a file; nil where there is none.
func CRLAt(path string, ca *x509.Certificate) (*x509.RevocationList, error) {
	list, err := ReadCRL(path, ca)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // as said
	case err == nil && list.Number != nil && list.Number.BitLen() > 62:
		return nil, fault.New(fault.Policy, "move it away", "%s: its CRL number has no room for more", path)
	}
	return list, err
}

// numberOf is a list's number; 0 where there is no list, or one without a number.
func numberOf(list *x509.RevocationList) int64 {
	if list == nil || list.Number == nil {
		return 0
	}
	return list.Number.Int64()
}

// ReadCRL reads a revocation list in PEM or DER that ca signed. What is none is fault.InvalidFile.
func ReadCRL(path string, ca *x509.Certificate) (*x509.RevocationList, error) {
	data, _, err := secretfile.Read(path, maxCRL)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(data); block != nil && block.Type == "X509 CRL" {
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err == nil {
		err = list.CheckSignatureFrom(ca)
	}
	if err != nil {
		return nil, fault.New(fault.InvalidFile, "move it away, or name another file", "%s is not a CRL of this CA: %w", path, err)
	}
	return list, nil
}

// CheckCRL holds the CA's list, which was read from path before the ledger, against it. The error is fault.Due where the list
// is behind, and fault.InvalidFile where the ledger is.
func (b *Book) CheckCRL(list *x509.RevocationList, path string) error {
	const hint = "make it anew with `keyward gen-crl`"
	if err := b.remembers(list); err != nil {
		return err
	}
	number := numberOf(list)
	switch {
	case b.LastCRL.Number > 0 && number > b.number:
		return fault.New(fault.InvalidFile, "restore the newest copy of the ledger; if another tool made the list, `keyward gen-crl` goes on from it",
			"the ledger is behind: %s, and the ledger knows of %d at most: it was cut off, or is an old copy", numbered(path, number), b.number)
	case b.Behind():
		return fault.New(fault.Due, hint, "the CRL is behind: what line %d revoked or released is not in it", b.changed)
	case number < b.LastCRL.Number:
		return fault.New(fault.Due, hint, "the CRL is behind: %s, and the ledger knows of number %d", numbered(path, number), b.LastCRL.Number)
	}
	return nil
}

func numbered(path string, number int64) string {
	if number == 0 {
		return path + " is not there"
	}
	return fmt.Sprintf("%s has number %d", path, number)
}
