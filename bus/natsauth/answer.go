package natsauth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/nats-io/jwt/v2"

	"keyward/bus"
	"keyward/fault"
)

// refusal is all that a server hears of why: the reason is in our log.
const refusal = "refused; the log of the authorizer says why"

// maxAnswer is how many bytes an answer has at most: a server's max_payload, unless somebody changed it.
const maxAnswer = 1 << 20

// admit is the answer that lets a client in. The permissions are the account's, and end with the certificate.
func (k *Keys) admit(q *question, in string, account bus.Account) ([]byte, error) {
	permissions := account.Permissions()
	user := jwt.NewUserClaims(q.user)
	user.Name = stampOf(account, q.chain[0]).String()
	user.Audience = in
	user.Expires = q.chain[0].NotAfter.Unix()
	user.Pub = jwt.Permission{Allow: permissions.Publish.Allow, Deny: permissions.Publish.Deny}
	user.Sub = jwt.Permission{Allow: permissions.Subscribe.Allow, Deny: permissions.Subscribe.Deny}
	user.AllowedConnectionTypes = jwt.StringList{jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket}
	token, err := user.Encode(k.issuer)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "the answer cannot be signed: %w", err)
	}
	sealed, err := k.answer(q, token, "")
	if err == nil && len(sealed) > maxAnswer {
		err = fault.New(fault.Policy, "spread its roles and patterns over several accounts", "the permissions of the account take %d bytes, and may take %d", len(sealed), maxAnswer)
	}
	return sealed, err
}

// refuse is the answer that keeps a client out.
func (k *Keys) refuse(q *question) ([]byte, error) { return k.answer(q, "", refusal) }

func (k *Keys) answer(q *question, user, refused string) ([]byte, error) {
	response := jwt.NewAuthorizationResponseClaims(q.user)
	response.Audience = q.server.ID
	response.Jwt, response.Error = user, refused
	token, err := response.Encode(k.issuer)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "the answer cannot be signed: %w", err)
	}
	if q.xkey == "" { // a refusal
		return []byte(token), nil
	}
	sealed, err := k.xkey.Seal([]byte(token), q.xkey)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "the answer cannot be encrypted: %w", err)
	}
	return sealed, nil
}

// stamp is what the user name of a connection says: why it was let in.
type stamp struct {
	account     bus.Name
	revision    uint64
	fingerprint string // of the certificate
}

func stampOf(account bus.Account, cert *x509.Certificate) stamp {
	return stamp{account.Name, account.Revision, fingerprint(cert.Raw)}
}

// fingerprint is 128 bits of a certificate's SHA-256, in hex.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:16])
}

// String is ACCOUNT:REVISION:FINGERPRINT. No name has a colon.
func (s stamp) String() string {
	return string(s.account) + ":" + strconv.FormatUint(s.revision, 10) + ":" + s.fingerprint
}

// parseStamp reads what String writes, and nothing else.
func parseStamp(user string) (stamp, bool) {
	parts := strings.Split(user, ":")
	if len(parts) != 3 {
		return stamp{}, false
	}
	name, err := bus.ParseName(parts[0])
	revision, bad := strconv.ParseUint(parts[1], 10, 64)
	s := stamp{name, revision, parts[2]}
	return s, err == nil && bad == nil && len(s.fingerprint) == 32 && s.String() == user
}
