// Limit is the least that makes leaves as durably as `keyward apply` does: the same system calls
// that change files, in the same order and as many side by side, and nothing else. It does not look
// at what is there, checks no request and signs no line of its ledger.
//
//	limit CA DIR N
//
// CA is the basename of the issuer's files. The leaves are leaf00000 to leaf(N-1) in the folder DIR.
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What internal/durable does at a time.
const (
	perBatch = 126 // sets of two files
	maxSyncs = 64  // side by side
)

func main() {
	ca, err := load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	n, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	if err := makeAll(ca, os.Args[2], n); err != nil {
		log.Fatal(err)
	}
}

// issuer is a CA.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func load(base string) (ca issuer, err error) {
	certPEM, err := os.ReadFile(base + ".cert.pem")
	if err != nil {
		return ca, err
	}
	keyPEM, err := os.ReadFile(base + ".key.pem")
	if err != nil {
		return ca, err
	}
	certDER, _ := pem.Decode(certPEM)
	keyDER, _ := pem.Decode(keyPEM)
	if certDER == nil || keyDER == nil {
		return ca, errors.New("no PEM in the files of " + base)
	}
	if ca.cert, err = x509.ParseCertificate(certDER.Bytes); err != nil {
		return ca, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER.Bytes)
	if err != nil {
		return ca, err
	}
	ca.key = key.(crypto.Signer)
	return ca, nil
}

// makeAll fills a batch while the one before is made to last.
func makeAll(ca issuer, dir string, n int) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	var sealing sync.WaitGroup
	var failed error
	for from := 0; from < n; from += perBatch {
		b := &batch{dir: dir, folder: folder}
		err := b.fill(ca, from, min(from+perBatch, n))
		sealing.Wait()
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		sealing.Go(func() { failed = b.seal() })
	}
	sealing.Wait()
	return failed
}

// leaf is a certificate whose files are staged.
type leaf struct {
	name   string
	staged [2]*os.File
	line   []byte // of the ledger
}

func (l *leaf) hidden(what string) string { return "." + l.name + "." + what }

// The files of a leaf.
var suffixes = [...]string{".key.pem", ".cert.pem"}

// batch is some leaves that go through the steps together.
type batch struct {
	dir    string
	folder *os.File
	leaves []leaf
	lock   *os.File
}

func (b *batch) path(name string) string { return filepath.Join(b.dir, name) }

func create(path string, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

// fill locks the leaves' names, makes the leaves on all cores, and writes their files.
func (b *batch) fill(ca issuer, from, to int) error {
	b.leaves = make([]leaf, to-from)
	errs := make([]error, len(b.leaves))
	gate := make(chan struct{}, runtime.GOMAXPROCS(0))
	var working sync.WaitGroup
	for i := range b.leaves {
		l := &b.leaves[i]
		l.name = fmt.Sprintf("leaf%05d", from+i)
		if err := b.claim(l); err != nil {
			working.Wait()
			return err
		}
		gate <- struct{}{}
		working.Go(func() { errs[i] = b.stage(l, ca); <-gate })
	}
	working.Wait()
	return errors.Join(errs...)
}

// claim locks a name: the first one's lock has a name for each.
func (b *batch) claim(l *leaf) (err error) {
	path := b.path(l.hidden("lock"))
	if b.lock != nil {
		return os.Link(b.lock.Name(), path)
	}
	if b.lock, err = create(path, 0o600); err != nil {
		return err
	}
	return syscall.Flock(int(b.lock.Fd()), syscall.LOCK_EX)
}

func (b *batch) stage(l *leaf, ca issuer) error {
	files, err := ca.issue(l)
	if err != nil {
		return err
	}
	for i, data := range files {
		mode := os.FileMode(0o644)
		if i == 0 {
			mode = 0o600
		}
		if l.staged[i], err = create(b.path(l.hidden(strconv.Itoa(i)+".staged")), mode); err != nil {
			return err
		}
		if _, err := l.staged[i].Write(data); err != nil {
			return err
		}
	}
	return nil
}

// issue makes a key, a certificate like keyward's of the profile peer, and the contents of its files.
func (ca issuer) issue(l *leaf) (files [2][]byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"bench"}},
		NotBefore:             now,
		NotAfter:              now.AddDate(0, 0, 30),
		DNSNames:              []string{l.name + ".example.org"},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          make([]byte, 20),
	}, ca.cert, key.Public(), ca.key)
	if err != nil {
		return files, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, err
	}
	sum := sha256.Sum256(der)
	l.line = fmt.Appendf(nil, "{\"name\":%q,\"sha256\":\"%x\",\"cert\":%q}\n", l.name, sum, base64.StdEncoding.EncodeToString(der))
	return [2][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// seal makes the batch last and puts it in place.
func (b *batch) seal() error {
	defer b.lock.Close()
	journal, err := b.startJournal()
	if err != nil {
		return err
	}
	defer journal.Close()
	for _, step := range []func() error{
		b.syncStaged,
		b.note,
		func() error { return write(journal, b.names()) },
		func() error { return b.each(b.place) },
		b.folder.Sync,
		func() error { return journal.Truncate(0) },
		func() error { return b.each(b.clean) },
		func() error { return b.each(func(l *leaf) error { return os.Remove(b.path(l.hidden("lock"))) }) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) each(do func(*leaf) error) error {
	for i := range b.leaves {
		if err := do(&b.leaves[i]); err != nil {
			return err
		}
	}
	return nil
}

// startJournal makes one journal with a name for each leaf.
func (b *batch) startJournal() (*os.File, error) {
	journal, err := create(b.path(b.leaves[0].hidden("journal")), 0o600)
	if err != nil {
		return nil, err
	}
	for i := range b.leaves[1:] {
		if err := os.Link(journal.Name(), b.path(b.leaves[i+1].hidden("journal"))); err != nil {
			return nil, err
		}
	}
	return journal, nil
}

// names are what the journal says.
func (b *batch) names() []byte {
	var text bytes.Buffer
	for _, l := range b.leaves {
		fmt.Fprintf(&text, "replace %q\n", l.name)
		for _, s := range suffixes {
			fmt.Fprintf(&text, "%q\n", l.name+s)
		}
	}
	return text.Bytes()
}

// write writes all and syncs it.
func write(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncStaged syncs the staged files and the folder, side by side.
func (b *batch) syncStaged() error {
	files := []*os.File{b.folder}
	for _, l := range b.leaves {
		files = append(files, l.staged[:]...)
	}
	errs := make([]error, len(files))
	var next atomic.Int64
	var working sync.WaitGroup
	for range min(maxSyncs, len(files)) {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				errs[i] = files[i].Sync()
			}
		})
	}
	working.Wait()
	for _, f := range files[1:] {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// note adds the batch to the ledger, under its lock.
func (b *batch) note() error {
	lock, err := create(b.path(".limit.ledger.lock"), 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	ledger, err := os.OpenFile(b.path("limit.ledger"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer ledger.Close()
	var text []byte
	for _, l := range b.leaves {
		text = append(text, l.line...)
	}
	return errors.Join(write(ledger, text), os.Remove(lock.Name()))
}

// place puts a leaf's files in place.
func (b *batch) place(l *leaf) error {
	for i, s := range suffixes {
		if err := os.Rename(b.path(l.hidden(strconv.Itoa(i)+".staged")), b.path(l.name+s)); err != nil {
			return err
		}
	}
	return nil
}

// clean removes a leaf's journal.
func (b *batch) clean(l *leaf) error { return os.Remove(b.path(l.hidden("journal"))) }
