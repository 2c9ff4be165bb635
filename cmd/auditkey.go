package cmd

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"time"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/store/audit"
)

// auditKeyFile is the key that audit records are signed with, in the data folder: Ed25519 in PKCS#8. Beside it
// stands its public key, which checks them.
const auditKeyFile = "audit-key"

const maxAuditKey = 4 << 10 // bytes

// auditSigner reads the key, or makes it where there is none.
func (e *env) auditSigner(ctx context.Context, path string) (*audit.Signer, error) {
	signer, err := readAuditKey(ctx, path)
	if !errors.Is(err, fault.NotFound) {
		return signer, err
	}
	if err := makeAuditKey(ctx, path); err != nil {
		return nil, err
	}
	return readAuditKey(ctx, path)
}

// signerOf is auditSigner for a store with this last record; nil for none. The log goes on with the key that it has.
func (e *env) signerOf(ctx context.Context, path string, last *audit.Record) (*audit.Signer, error) {
	if last == nil {
		return e.auditSigner(ctx, path)
	}
	signer, err := readAuditKey(ctx, path)
	if errors.Is(err, fault.NotFound) {
		err = fault.New(fault.Policy, auditKeyHint, "there is no audit key in %s, and the store has an audit log", path)
	}
	if err != nil {
		return nil, err
	}
	return signer, checkAuditKey(path, signer, last)
}

const auditKeyHint = "give --audit-key the key of that log, from a server of this store or a backup; where it is lost, see docs/backup.md"

// checkAuditKey refuses a key that did not sign the last record: a server or a restore with a key of its own would leave
// a log that no single key checks.
func checkAuditKey(path string, signer *audit.Signer, last *audit.Record) error {
	if last == nil || ed25519.Verify(signer.Public(), last.Line, last.Signature[:]) {
		return nil
	}
	return fault.New(fault.Policy, auditKeyHint, "the key in %s is not the one that the store's audit log was signed with", path)
}

func readAuditKey(ctx context.Context, path string) (*audit.Signer, error) {
	if err := durable.Settle(ctx, filepath.Dir(path), filepath.Base(path)); err != nil {
		return nil, err
	}
	return parseAuditKey(path)
}

func parseAuditKey(path string) (*audit.Signer, error) {
	text, exposed, err := secretfile.Read(path, maxAuditKey)
	if err == nil {
		err = exposed
	}
	if err != nil {
		return nil, fault.New(kindOf(err), fault.HintOf(err), "the audit key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, notAuditKey(path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, notAuditKey(path)
	}
	return audit.NewSigner(private), nil
}

func notAuditKey(path string) error {
	return fault.New(fault.InvalidFile, "give --audit-key the file that `serve` made", "%s is no Ed25519 private key in PEM", path)
}

func makeAuditKey(ctx context.Context, path string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	dir, name := filepath.Dir(path), filepath.Base(path)
	return durable.Put(ctx, dir, name, []durable.File{
		{Name: name, Data: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER}), Mode: 0o600},
		{Name: name + ".pub", Data: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}), Mode: 0o644},
	}, false)
}

// byItself is an act of the server's own.
func byItself(now time.Time, what audit.What, user, note string) audit.Act {
	return audit.Act{Time: now, What: what, User: user, Note: note}
}
