package restclient

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"iter"
	"math"
	"net/http"
	"strconv"

	"keyward/registry/wire"
)

// Audit lists the records of the audit log after the one with this number while they arrive; an administrator's
// act. An error is the last thing it yields.
func (c *Client) Audit(ctx context.Context, token Token, after int64) iter.Seq2[wire.AuditRecord, error] {
	return stream[wire.AuditRecord](ctx, c, auditCall(token, after), "records")
}

// AuditKey asks for the key that the registry signs its audit records with.
func (c *Client) AuditKey(ctx context.Context, token Token) (ed25519.PublicKey, error) {
	k := auditCall(token, math.MaxInt64) // no records
	k.need = "key"
	var answer wire.Audit
	if err := c.do(ctx, k, &answer); err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(answer.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, notRegistry(c.at(k), "its audit key is none")
	}
	return key, nil
}

func auditCall(token Token, after int64) call {
	return call{method: http.MethodGet, path: wire.PathAudit + "?" + wire.QueryAfter + "=" + strconv.FormatInt(after, 10), token: token}
}
