package registry

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"keyward/registry/wire"
	"keyward/store"
)

// access says who may use a route.
type access int

const (
	open  access = iota // anybody
	login               // whoever has a token
	self                // the {user} of the path, or an administrator
	admin               // an administrator
)

// route is one method of one path.
type route struct {
	method, path string
	access       access
	scope        store.Scopes // that the token must have
	handle       func(*Server, *call) error
}

// table is the whole API.
var table = []route{
	{http.MethodPost, wire.PathToken, open, 0, (*Server).logIn},
	{http.MethodDelete, wire.PathToken, login, 0, (*Server).revoke},

	{http.MethodGet, wire.PathProject, login, store.ScopeRead, (*Server).project},
	{http.MethodGet, wire.PathVersion, login, store.ScopeRead, (*Server).version},

	{http.MethodGet, wire.PathServerKey, open, 0, (*Server).serverKey},
	{http.MethodGet, wire.PathDirectory, login, store.ScopeRead, (*Server).directory},
	{http.MethodGet, wire.PathKeys, admin, store.ScopeRead, (*Server).allKeys},
	{http.MethodPost, wire.PathPrune, admin, store.ScopeAdmin, (*Server).pruneKeys},
	{http.MethodGet, wire.PathUserKeys, self, store.ScopeRead, (*Server).userKeys},
	{http.MethodPost, wire.PathUserKeys, self, store.ScopeKeys, (*Server).addKey},
	{http.MethodPatch, wire.PathUserKey, self, store.ScopeKeys, (*Server).changeKey},
	{http.MethodDelete, wire.PathUserKey, self, store.ScopeKeys, (*Server).deleteKey},

	{http.MethodGet, wire.PathUsers, admin, store.ScopeRead, (*Server).users},
	{http.MethodPost, wire.PathUsers, admin, store.ScopeAdmin, (*Server).addUser},
	{http.MethodDelete, wire.PathUser, admin, store.ScopeAdmin, (*Server).deleteUser},
	{http.MethodPut, wire.PathPassword, self, store.ScopeKeys, (*Server).setPassword},

	{http.MethodGet, wire.PathAccounts, admin, store.ScopeRead, (*Server).accounts},
	{http.MethodPost, wire.PathAccounts, admin, store.ScopeAdmin, (*Server).addAccount},
	{http.MethodGet, wire.PathAccount, admin, store.ScopeRead, (*Server).account},
	{http.MethodPut, wire.PathAccount, admin, store.ScopeAdmin, (*Server).updateAccount},
	{http.MethodDelete, wire.PathAccount, admin, store.ScopeAdmin, (*Server).revokeAccount},

	{http.MethodGet, wire.PathAudit, admin, store.ScopeRead, (*Server).auditLog},

	{http.MethodGet, wire.PathOpenAPI, open, 0, (*Server).openAPI},
	{http.MethodGet, wire.PathHealth, open, 0, (*Server).health},
	{http.MethodGet, wire.PathReady, open, 0, (*Server).ready},
}

// resource is one path with its methods; the one without a path answers every other.
type resource struct {
	server  *Server
	path    string
	methods map[string]route
	allow   string
}

// routes makes the handler of every path of the table.
func (s *Server) routes() *http.ServeMux {
	all := map[string]*resource{"": {server: s}}
	for _, r := range table {
		if all[r.path] == nil {
			all[r.path] = &resource{server: s, path: r.path, methods: map[string]route{}}
		}
		all[r.path].methods[r.method] = r
		if r.method == http.MethodGet {
			all[r.path].methods[http.MethodHead] = r
		}
	}
	mux := http.NewServeMux()
	for path, res := range all {
		res.allow = strings.Join(slices.Sorted(maps.Keys(res.methods)), ", ")
		if path == "" {
			path = "/"
		}
		mux.Handle(path, res)
	}
	return mux
}

// ServeHTTP answers one request. A path that is not clean is not found: the mux
// would redirect, and nobody should send a credential after a redirect.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.EscapedPath(); !strings.HasPrefix(p, "/") || path.Clean(p) != p {
		(&resource{server: s}).ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// ServeHTTP runs the request's route: every answer and every log line starts here.
func (res *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := res.server
	s.running.RLock()
	defer s.running.RUnlock()
	c := newCall(w, r, res.path)
	s.rotate(c)
	defer s.finish(c)
	if err := s.run(res, c); err != nil {
		c.refuse(err)
	}
}

// rotate has the connection closed after its answer where all are taken: else four addresses that ask now and then would
// keep theirs, and everybody else out.
func (s *Server) rotate(c *call) {
	if s.metrics.connections.Open.Load() >= int64(s.cfg.MaxConnections) {
		c.w.Header().Set("Connection", "close")
	}
}

func (s *Server) run(res *resource, c *call) error {
	if res.path == "" {
		return refuse(http.StatusNotFound, wire.CodeNotFound, "no such path", "see "+wire.PathOpenAPI)
	}
	rt, ok := res.methods[c.r.Method]
	if !ok {
		c.w.Header().Set("Allow", res.allow)
		return refuse(http.StatusMethodNotAllowed, wire.CodeMethod, "the path does not take this method", "use "+res.allow)
	}
	if err := s.permit(rt, c); err != nil {
		return err
	}
	return rt.handle(s, c)
}

// permit finds the caller by their token and refuses who may not use the route.
// Who may not learn whether a user exists is refused before the user is looked up.
func (s *Server) permit(rt route, c *call) error {
	if rt.access == open {
		return nil
	}
	if err := s.authenticate(c); err != nil {
		return err
	}
	own := rt.access == login || rt.access == self && c.user == c.caller.Name
	if !own && !c.caller.Admin {
		return refuse(http.StatusForbidden, wire.CodeNotPermitted, "this takes an administrator", "")
	}
	need := rt.scope
	if need == store.ScopeKeys && !own {
		need = store.ScopeAdmin
	}
	if c.token.Scopes&need != need {
		return noScope(c.token, need)
	}
	return nil
}

// noScope refuses a token that is not for this.
func noScope(t store.Token, need store.Scopes) error {
	message := "the token has not the scope " + scopeText(need)
	if t.Key == "" {
		return refuse(http.StatusForbidden, wire.CodeNotPermitted, message, "ask for it in the login")
	}
	return refuse(http.StatusForbidden, wire.CodePasswordNeeded, message+", which takes a login with the password", "log in with the password")
}
