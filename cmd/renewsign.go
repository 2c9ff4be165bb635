package cmd

import (
	"cmp"
	"crypto"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

// sign makes the successor and puts it in place, or only tries to in a dry run.
func (r *renewer) sign(held *certs.Held, one *renewal) (*certs.Issued, error) {
	req, err := certs.Renewal(held.Cert)
	if err != nil {
		return nil, err
	}
	issuer, err := r.issuerOf(held, req.Role)
	if err != nil {
		return nil, err
	}
	var password []byte
	if req.Key, password, err = r.key(held, req.Role); err != nil {
		return nil, err
	}
	rekey := r.c.Bool("rekey")
	switch {
	case rekey:
		req.Key, req.KeyType = nil, cmp.Or(r.keyType, req.KeyType)
	case req.Key == nil:
		req.PublicKey = held.Cert.PublicKey
	}
	req.NotAfter, req.Clamp = r.end, r.c.Bool("clamp")
	issued, err := certs.Issue(req, issuer, r.dated())
	if err != nil {
		return nil, err
	}
	placing := certs.Placing{DryRun: one.DryRun, Password: password, Record: r.recordRenewal(issuer, issued, held)}
	files, outdated, err := held.Replace(r.c.Context, issued, rekey, placing)
	if err != nil {
		return nil, err
	}
	one.Rekeyed, one.Files, one.Notes = rekey, files, slices.Concat(issued.Notes, outdated)
	return issued, nil
}

// issuerOf is the CA that signs; nil for a root.
func (r *renewer) issuerOf(held *certs.Held, role certs.Role) (*certs.Issuer, error) {
	if role == certs.Root {
		if r.c.Bool("rekey") && !r.c.Bool("force") {
			return nil, fault.New(fault.Policy, "make a new root with gen-root-cert, move over to it, and then drop this one; --force makes the key all the same",
				"a root with a new key is another CA: nothing that the old one signed verifies below it")
		}
		return nil, nil
	}
	issuer, err := r.issuer()
	switch {
	case err != nil, r.c.Bool("force"):
		return issuer, err
	case !issuer.Signed(held.Cert):
		return nil, fault.New(fault.Policy, "give the CA that did with --ca-certfile and --ca-keyfile, or --force to have it signed by this one",
			"%s did not sign it", printable(issuer.Chain[0].Subject.String()))
	}
	revoked, err := r.revoked()
	if err == nil && revoked(certs.Describe(held.Cert).Serial) {
		err = fault.New(fault.Policy, "make a new one with gen-leaf-cert or the like, or give this one a new key with --rekey --force", "it is revoked, and its successor would not be")
	}
	return issuer, err
}

// revocations reads the issuer's ledger for what is revoked. The signatures of its lines are left to those who write to it.
func (e *env) revocations(c *cli.Context) (revoked func(serial string) bool, err error) {
	revoked = func(string) bool { return false }
	path := ledgerPath(c, c.String("ca-certfile"))
	if path == "" {
		return revoked, nil
	}
	book, err := ledger.Open(path, nil)
	if errors.Is(err, fault.NotFound) {
		return revoked, nil
	}
	if err != nil {
		return nil, err
	}
	return book.Revoked, book.Close()
}

// key is the certificate's key where it is needed: to sign a root, and to be replaced. The password is what it is
// encrypted with; nil where it is plain.
func (r *renewer) key(held *certs.Held, role certs.Role) (key crypto.Signer, password []byte, err error) {
	if role != certs.Root && !r.c.Bool("rekey") {
		return nil, nil, nil
	}
	if held.KeyFile == "" {
		return nil, nil, fault.New(fault.Usage, "give it with --key", "its private key is needed, and it is not known which file that is")
	}
	unlock := r.unlock(r.c, "key-password-file")
	key, warnings, err := certs.LoadKey(r.c.Context, held.KeyFile, func(file string) ([]byte, error) {
		var err error
		password, err = unlock(file)
		return password, err
	})
	for _, warning := range warnings {
		r.note("warning: %s", warning)
	}
	if err != nil {
		return nil, nil, err
	}
	if own, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !own.Equal(held.Cert.PublicKey) {
		return nil, nil, fault.New(fault.Policy, "give its key with --key", "%s is the key of another certificate", held.KeyFile)
	}
	return key, password, nil
}

// recordRenewal notes the renewal in the issuer's ledger. A CA with a new key begins one of its own.
func (r *renewer) recordRenewal(issuer *certs.Issuer, issued *certs.Issued, held *certs.Held) func() error {
	entry := ledger.Renewed(issued.Cert, held.Cert)
	role, own := certs.RoleOf(issued.Cert), ledgerPath(r.c, held.File)
	if role == certs.Root && own != "" && !r.c.Bool("rekey") {
		return func() error { return ledger.Append(r.c.Context, own, issued.Issuer(), r.dated(), entry) }
	}
	start := func() error { return ledger.Start(r.c.Context, own, issued.Issuer(), r.dated()) }
	if role == certs.Root {
		if own == "" {
			return nil
		}
		return start
	}
	inIssuer := r.record(r.c, issuer, entry)
	if role == certs.Leaf || inIssuer == nil || !r.c.Bool("rekey") {
		return inIssuer
	}
	own = ledger.Path(held.File)
	return func() error {
		if err := inIssuer(); err != nil {
			return err
		}
		return start()
	}
}

// hint is that of an error, unless it names a flag that signing has and renew-cert has not.
func (r *renewer) hint(err error) string {
	hint := fault.HintOf(err)
	for _, word := range strings.FieldsFunc(hint, func(c rune) bool { return strings.ContainsRune(" ,;:", c) }) {
		name, is := strings.CutPrefix(word, "--")
		if is && !slices.ContainsFunc(r.c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			return "a renewal keeps what the old one has; make a new one with gen-leaf-cert or the like"
		}
	}
	return hint
}
