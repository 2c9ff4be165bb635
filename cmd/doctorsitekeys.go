package cmd

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"keyward/fault"
	"keyward/internal/secretfile"
	"keyward/keys"
	"keyward/store/audit"
)

func lookAtServerPair(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	path := fileOr(s.c, "server-key", s.dir, serverKeyFile)
	pair, err := readPair(path)
	switch {
	case err != nil:
		return isFault(comment("%s", serverKeyHint), "%v", err)
	case s.glance == nil:
		return isSkipped("%s is sound; there is no store to hold it against", path)
	case len(s.glance.ServerKeys) == 0:
		return isWarning(s.serve(), "%s is not on record in the store yet", path)
	case s.glance.ServerKeys[0].Public != pair.Public && isMisplaced(path, s.glance.ServerKeys[0].Public):
		return isFault(comment("move %s to %s, and reload the registry", path+oldSuffix, path), "the server key in %s replaces another than the one on record, which is in %s", path, path+oldSuffix)
	case s.glance.ServerKeys[0].Public != pair.Public && isBeside(path, s.glance.ServerKeys[0].Public):
		return isWarning("sudo systemctl reload keyward", "the server key was rotated in the files, and no registry has read them yet; or another replica was, and here it is still to be")
	case s.glance.ServerKeys[0].Public != pair.Public:
		return isFault(comment("%s", serverKeyHint), "the server key in %s is not the one on record in the store", path)
	}
	return isOK("%s has the key on record, %s", path, pair.Public.Fingerprint())
}

// isBeside tells whether a key is the old or the next one of a rotation.
func isBeside(path string, key keys.PublicKey) bool {
	for _, suffix := range []string{oldSuffix, nextSuffix} {
		if pair, err := readPair(path + suffix); err == nil && pair.Public == key {
			return true
		}
	}
	return false
}

// isMisplaced tells whether a key is the old one of a file that says that it replaces another.
func isMisplaced(path string, key keys.PublicKey) bool {
	text, _, err := secretfile.Read(path, maxServerKey)
	old, errOld := readPair(path + oldSuffix)
	return err == nil && errOld == nil && old.Public == key && parseReplacement(string(text)).replaces != key.Fingerprint()
}

// lookAtAuditKey holds the last record against the key. The whole log is for `audit verify`.
func lookAtAuditKey(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	path := fileOr(s.c, "audit-key", s.dir, auditKeyFile)
	signer, err := parseAuditKey(path)
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.InvalidFile):
		return isFault(comment("take it from another server of this store, or from a backup with keys; where it is lost, docs/backup.md says how another signs"), "%v", err)
	case err != nil:
		return s.failedBy(err)
	case s.glance == nil:
		return isSkipped("%s is sound; there is no store to hold it against", path)
	case s.glance.Last == nil:
		return isOK("%s is sound, and there is no record yet", path)
	}
	last := s.glance.Last
	if !ed25519.Verify(signer.Public(), last.Line, last.Signature[:]) {
		return isFault(comment("give --audit-key the file of the server that wrote it; if there is none, compare the log with a backup"), "the last audit record was not signed with %s", path)
	}
	return isOK("the last audit record was signed with %s", path)
}

func lookAtAuditClock(_ context.Context, s *site) finding {
	if s.glance == nil || s.glance.Last == nil {
		return isSkipped("there is no audit record to compare the clock with")
	}
	_, _, act, err := audit.Parse(s.glance.Last.Line)
	switch now := s.now(); {
	case err != nil:
		return isFault(comment("compare the audit log with a backup"), "the last audit record: %v", err)
	case act.Time.After(now):
		return isFault(setClock, "the clock is behind the last audit record by %v: logins and ends of keys go wrong", act.Time.Sub(now).Round(time.Second))
	}
	return isOK("the clock is past the last audit record, of %s", stamp(act.Time))
}
