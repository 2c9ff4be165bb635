package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/bus"
	"keyward/registry/wire"
)

// openAPI is as much of a document as the tests look at.
type openAPI struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Responses map[string]response
		Schemas   map[string]schema
	}
}

type operation struct {
	Security  *[]any
	Responses map[string]response
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Pattern    string
	Enum       []string
	Required   []string
	Properties map[string]schema
	Items      *schema
}

func parseDocument(t *testing.T) openAPI {
	t.Helper()
	var d openAPI
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// operation finds what the document says about a route.
func (d openAPI) operation(r route) (operation, error) {
	var o operation
	raw, ok := d.Paths[r.path][strings.ToLower(r.method)]
	if !ok {
		return o, fmt.Errorf("%s %s is not in the document", r.method, r.path)
	}
	return o, json.Unmarshal(raw, &o)
}

// coverage is which answers were seen, to be compared with the document.
type coverage struct {
	t        *testing.T
	document openAPI
	seen     map[string]bool // "METHOD /path STATUS"
	codes    map[string]bool
}

func newCoverage(t *testing.T) *coverage {
	return &coverage{t, parseDocument(t), map[string]bool{}, map[string]bool{}}
}

// add notes an answer, and holds its body against the document's schema.
func (c *coverage) add(q request, a answer) {
	c.t.Helper()
	if a.status > 300 {
		c.codes[string(a.code())] = true
	}
	r, ok := routeOf(q)
	if !ok {
		return
	}
	c.seen[fmt.Sprint(r.method, " ", r.path, " ", a.status)] = true
	o, err := c.document.operation(r)
	if err != nil {
		c.t.Error(err)
		return
	}
	want := o.Responses[strconv.Itoa(a.status)]
	if want.Ref != "" {
		want = c.document.Components.Responses[strings.TrimPrefix(want.Ref, "#/components/responses/")]
	}
	content, ok := want.Content["application/json"]
	if !ok {
		if len(a.body) > 0 {
			c.t.Errorf("%s %s: a body with status %d", r.method, r.path, a.status)
		}
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		c.t.Errorf("%s %s: Content-Type %q", r.method, r.path, got)
	}
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		c.t.Errorf("%s %s: %v", r.method, r.path, err)
	}
	if err := c.document.check(content.Schema, v); err != nil {
		c.t.Errorf("%s %s: %s: %v", r.method, r.path, a.body, err)
	}
}

// routeOf finds the route of a request.
func routeOf(q request) (route, bool) {
	path, _, _ := strings.Cut(q.path, "?")
	for _, r := range table {
		pattern := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(r.path, "[^/]+")
		if r.method == q.method && regexp.MustCompile("^"+pattern+"$").MatchString(path) {
			return r, true
		}
	}
	return route{}, false
}

// check holds a value against a schema. A property that the schema does not know is wrong.
func (d openAPI) check(s schema, v any) error {
	if s.Ref != "" {
		return d.check(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], v)
	}
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			return fmt.Errorf("an object for %q", s.Type)
		}
		return d.checkObject(s, v)
	case []any:
		if s.Type != "array" {
			return fmt.Errorf("an array for %q", s.Type)
		}
		for _, item := range v {
			if s.Items == nil {
				break
			}
			if err := d.check(*s.Items, item); err != nil {
				return err
			}
		}
	case string:
		if s.Type != "string" || s.Enum != nil && !slices.Contains(s.Enum, v) || !regexp.MustCompile(s.Pattern).MatchString(v) {
			return fmt.Errorf("%q does not fit", v)
		}
	case float64:
		if s.Type != "number" && (s.Type != "integer" || v != float64(int(v))) {
			return fmt.Errorf("%v for %q", v, s.Type)
		}
	case bool:
		if s.Type != "boolean" {
			return fmt.Errorf("a boolean for %q", s.Type)
		}
	default:
		return fmt.Errorf("%v", v)
	}
	return nil
}

func (d openAPI) checkObject(s schema, v map[string]any) error {
	if s.Properties == nil {
		return nil // any object
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("no %s", name)
		}
	}
	for name, value := range v {
		property, ok := s.Properties[name]
		if !ok {
			return fmt.Errorf("%s is not in the schema", name)
		}
		if err := d.check(property, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// compare fails the test where the document and what was seen differ.
func (c *coverage) compare() {
	c.t.Helper()
	said := map[string]bool{}
	for _, r := range table {
		o, err := c.document.operation(r)
		if err != nil {
			c.t.Error(err)
		}
		if isOpen := o.Security != nil && len(*o.Security) == 0; isOpen != (r.access == open) {
			c.t.Errorf("%s %s: the document and the table differ on who may", r.method, r.path)
		}
		for status := range o.Responses {
			if status != "default" {
				said[fmt.Sprint(r.method, " ", r.path, " ", status)] = true
			}
		}
	}
	if len(said) < 60 {
		c.t.Errorf("only %d answers in the document", len(said))
	}
	if diff := cmp.Diff(sorted(said), sorted(c.seen)); diff != "" {
		c.t.Errorf("the document says, the test saw:\n%s", diff)
	}
	codes := slices.Sorted(slices.Values(c.document.Components.Schemas["Error"].Properties["error"].Enum))
	if diff := cmp.Diff(codes, sorted(c.codes)); diff != "" {
		c.t.Errorf("the document's codes, those seen:\n%s", diff)
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestDocumentPaths finds operations that no route has.
func TestDocumentPaths(t *testing.T) {
	var said, have []string
	for path, item := range parseDocument(t).Paths {
		for method := range item {
			if method != "parameters" {
				said = append(said, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range table {
		have = append(have, r.method+" "+r.path)
	}
	slices.Sort(said)
	slices.Sort(have)
	if diff := cmp.Diff(said, have); diff != "" {
		t.Errorf("the document, the table:\n%s", diff)
	}
}

// TestDocumentSchemas holds the schemas against the types of package wire.
func TestDocumentSchemas(t *testing.T) {
	schemas := parseDocument(t).Components.Schemas
	for _, v := range []any{wire.Token{}, wire.Key{}, wire.Keys{}, wire.NewKey{}, wire.User{}, wire.Users{}, wire.NewUser{},
		wire.NewPassword{}, wire.KeyChange{}, wire.Prune{}, wire.DirectoryKey{}, wire.Directory{}, wire.AuditRecord{}, wire.Audit{},
		wire.ServerKey{}, wire.Table{}, wire.Column{}, wire.Error{}, wire.NewAccount{}, wire.AccountChange{}, wire.Accounts{},
		bus.Account{}, bus.Role{}, bus.Fault{}} {
		typ := reflect.TypeOf(v)
		fields := map[string]bool{}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			fields[name] = true
		}
		if diff := cmp.Diff(sorted(schemas[typ.Name()].Properties), sorted(fields)); diff != "" {
			t.Errorf("%s: the document, the type:\n%s", typ.Name(), diff)
		}
	}
}

// TestDocumentCheck sees that the check of an answer can fail.
func TestDocumentCheck(t *testing.T) {
	d := parseDocument(t)
	for _, bad := range []string{`[]`, `{}`, `{"keys":{}}`, `{"keys":[{}]}`, `{"keys":[],"more":1}`, `{"keys":[1]}`,
		`{"keys":[{"user":"a","key":"32:x","fingerprint":"sha256:00","description":"","created":""}]}`} {
		var v any
		if err := json.Unmarshal([]byte(bad), &v); err != nil {
			t.Fatal(err)
		}
		if d.check(schema{Ref: "#/components/schemas/Keys"}, v) == nil {
			t.Errorf("%s passes for Keys", bad)
		}
	}
	_, err := d.operation(route{method: http.MethodPost, path: wire.PathHealth})
	if err == nil {
		t.Error("an operation that is not there was found")
	}
}
