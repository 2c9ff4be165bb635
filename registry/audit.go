package registry

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strconv"

	"keyward/registry/wire"
	"keyward/store/audit"
)

// act is what the call does to the user it is about, as the audit log has it.
func (s *Server) act(c *call, what audit.What) audit.Act {
	return audit.Act{Time: s.cfg.Now(), What: what, By: c.caller.Name, User: c.user, From: address(c.r.RemoteAddr), Request: c.id}
}

// address is the host's of an address and port.
func address(remote string) string {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return ""
	}
	return a.Addr().Unmap().String()
}

// auditLog streams a wire.Audit.
func (s *Server) auditLog(c *call) error {
	after := int64(0)
	if text := c.r.URL.Query().Get(wire.QueryAfter); text != "" {
		var err error
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
			return badRequest(wire.QueryAfter + " is not the number of a record")
		}
	}
	key, _ := json.Marshal(base64.StdEncoding.EncodeToString(s.cfg.AuditKey)) // a string
	return stream(c, `{"key":`+string(key)+`,"records":[`, s.cfg.Store.Audit(c.r.Context(), after), wireRecord)
}

func wireRecord(r audit.Record) wire.AuditRecord {
	return wire.AuditRecord{Line: string(r.Line), Signature: base64.StdEncoding.EncodeToString(r.Signature[:])}
}
