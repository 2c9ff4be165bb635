package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"keyward/bus/natsauth"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// reviewedSuffix makes the name of the file of the authorizers' keys that of their note on whom all connections were held against.
const reviewedSuffix = ".reviewed"

// busTrust is whom an authorizer lets in, and against what of it the connections were last held. That is in a file, so that a CRL
// that changed while no authorizer ran counts for who is connected, and a start without a change leaves them alone.
type busTrust struct {
	*clientCA
	source *followed
	domain string
	file   string
}

// name is that of the CA and the CRLs as they are.
func (t *busTrust) name() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %x", t.domain, t.source.seen))
	return hex.EncodeToString(sum[:])
}

// begin has all connections reviewed at the start, unless they were.
func (t *busTrust) begin(service *natsauth.Service) {
	t.due() // whom is trusted did not change yet
	text, _, err := secretfile.Read(t.file, 1024)
	if err == nil && string(text) == t.name()+"\n" {
		return
	}
	t.log.Info("whom is trusted may have changed since an authorizer last ran with these keys: all connections are reviewed")
	service.Review(t.name())
}

// review has them reviewed where it is due.
func (t *busTrust) review(service *natsauth.Service) {
	trusted := ""
	if t.changed {
		trusted = t.name()
	}
	if t.due() {
		service.Review(trusted)
	}
}

// reviewed notes that all connections were held against what has a name.
func (t *busTrust) reviewed(trusted string) {
	dir, name := filepath.Split(t.file)
	err := durable.Put(context.Background(), filepath.Clean(dir), name, []durable.File{{Name: name, Data: []byte(trusted + "\n"), Mode: 0o600}}, true)
	if err != nil {
		t.log.Warn("the next start will have clients come again whose certificates no authorizer knows", "error", err)
	}
}
