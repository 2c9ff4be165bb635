package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"time"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/secretfile"
)

func lookAtOwnRoot(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	root, err := s.own(caBasename)
	switch {
	case errors.Is(err, fault.NotFound):
		return isSkipped("there is none")
	case err != nil:
		return isFault(comment("take it from a backup"), "%v", err)
	case certs.RoleOf(root) != certs.Root:
		return isFault(comment("take the root from a backup"), "%s is not a root", s.file(caBasename+".cert.pem"))
	}
	return s.ending(root, s.serve()+"  # renews it; then give its clients the new "+secretfile.Quote(s.file(caBasename+".cert.pem")), s.file(caBasename+".cert.pem"))
}

func lookAtOwnCertificate(_ context.Context, s *site) finding {
	path := s.file(serverBasename + ".cert.pem")
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	if s.c.String("tls-cert") != "" {
		return isSkipped("--tls-cert takes its place")
	}
	cert, err := s.own(serverBasename)
	switch {
	case errors.Is(err, fault.NotFound):
		return isSkipped("there is none")
	case err != nil:
		return isFault(comment("move it away: `keyward serve` makes another for the same key"), "%v", err)
	}
	s.leaf = cert
	again := s.serve()
	for _, name := range s.c.StringSlice("name") {
		again += " " + words("--name", name)
	}
	if root, err := s.own(caBasename); err == nil && cert.CheckSignatureFrom(root) != nil {
		return isFault(again, "%s is not signed by the root beside it", path)
	}
	if text, err := os.ReadFile(s.file(serverBasename + ".key.pem")); err == nil {
		if _, err := certs.ReadKey(s.file(serverBasename+".key.pem"), text, cert, nil); err != nil {
			return isFault(words("rm", path, s.file(serverBasename+".key.pem"))+" && "+again, "%v", err)
		}
	}
	for _, name := range s.c.StringSlice("name") {
		if cert.VerifyHostname(strings.Replace(name, "*", "a", 1)) != nil {
			return isFault(again, "%s is not for %s", path, name)
		}
	}
	return s.ending(cert, again, path)
}

// own reads one of the registry's own certificates, without the end to what a killed start left.
func (s *site) own(base string) (*x509.Certificate, error) {
	found, err := certs.ReadFile(s.file(base + ".cert.pem"))
	if err != nil {
		return nil, err
	}
	return found.Certs[0], nil
}

// lookAtTLSFiles looks at the files that serve is given in place of its own. A password is not asked for.
func lookAtTLSFiles(_ context.Context, s *site) finding {
	certFile, keyFile := s.c.String("tls-cert"), s.c.String("tls-key")
	if certFile == "" && keyFile == "" {
		return isSkipped("the registry shows its own certificate")
	}
	if certFile == "" || keyFile == "" {
		return isFault(comment("give both --tls-cert and --tls-key"), "one of --tls-cert and --tls-key is missing")
	}
	found, err := certs.ReadFile(certFile)
	if err != nil {
		return s.failedBy(err)
	}
	leaf := found.Certs[0]
	text, exposed, err := secretfile.Read(keyFile, maxTLSKey)
	if err != nil {
		return s.failedBy(err)
	}
	what := certFile
	switch _, err := certs.ReadKey(keyFile, text, leaf, nil); {
	case errors.Is(err, certs.ErrLocked):
		what += " (its key is encrypted, and was not opened)"
	case err != nil:
		return isFault(comment("give --tls-key the key of --tls-cert, whose first certificate is the server's"), "%v", err)
	}
	s.leaf = leaf
	f := s.ending(leaf, words("keyward", "renew-cert", certFile)+"  # with the CA that signed it; serve takes it within a minute", what)
	if f.State == stateOK && exposed != nil {
		return isWarning(s.failedBy(exposed).Mend, "%v", exposed)
	}
	return f
}

const maxTLSKey = 256 << 10 // bytes

// ending tells of a certificate's end: it is over, near, or neither.
func (s *site) ending(cert *x509.Certificate, mend, what string) finding {
	now, end := s.now(), cert.NotAfter
	days := daysLeft(end, now)
	switch {
	case end.Before(now):
		return isFault(mend, "%s has ended on %s", what, end.Format(time.DateOnly))
	case !end.After(s.soon):
		f := isWarning(mend, "%s ends on %s, in %d days", what, end.Format(time.DateOnly), days)
		f.due = true
		return f
	}
	return isOK("%s ends on %s, in %d days", what, end.Format(time.DateOnly), days)
}
