package message

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func id(n int64) *int64 { return &n }

func jsonOf(text string) Body { return Body{Format: JSON, Bytes: []byte(text)} }

// golden has a message of each shape in the README of the Micronets proxy, as a peer may write it (in), what it says,
// and how it is written here (out).
var golden = map[string]struct {
	in   string
	want Message
	out  string
}{
	"hello": {
		`{"message": {"messageId": 0, "messageType": "CONN:HELLO", "requiresResponse": false, "peerClass": "gateway", "peerId": "42"}}`,
		Message{Type: TypeHello, Hello: &Hello{PeerClass: "gateway", PeerID: "42"}},
		`{"message":{"messageId":0,"messageType":"CONN:HELLO","requiresResponse":false,"peerClass":"gateway","peerId":"42"}}`,
	},
	"a hello without a peer": {
		`{"message": {"messageId": 0, "messageType": "CONN:HELLO", "requiresResponse": true}}`,
		Message{Type: TypeHello, RequiresResponse: true, Hello: &Hello{}},
		`{"message":{"messageId":0,"messageType":"CONN:HELLO","requiresResponse":true}}`,
	},
	"GET request": {
		`{
			"message": {
				"messageId": 3,
				"messageType": "REST:REQUEST",
				"requiresResponse": true,
				"method": "GET",
				"path": "/v1/subnets",
				"headers": [{"name": "Host", "value": "localhost:5001"}, {"name": "Accept", "value": "*/*"}]
			}
		}`,
		Message{ID: 3, Type: TypeRequest, RequiresResponse: true, Request: &Request{
			Method: "GET", Path: "/v1/subnets", Headers: []Field{{"Host", "localhost:5001"}, {"Accept", "*/*"}},
		}},
		`{"message":{"messageId":3,"messageType":"REST:REQUEST","requiresResponse":true,"method":"GET","path":"/v1/subnets",` +
			`"headers":[{"name":"Host","value":"localhost:5001"},{"name":"Accept","value":"*/*"}]}}`,
	},
	"GET request with a query": {
		`{"message": {"messageId": 4, "messageType": "REST:REQUEST", "requiresResponse": true, "method": "GET", "path": "/v1/leases",
			"queryStrings": [{"name": "after", "value": "a&b"}, {"name": "after", "value": ""}]}}`,
		Message{ID: 4, Type: TypeRequest, RequiresResponse: true, Request: &Request{
			Method: "GET", Path: "/v1/leases", Query: []Field{{"after", "a&b"}, {"after", ""}},
		}},
		`{"message":{"messageId":4,"messageType":"REST:REQUEST","requiresResponse":true,"method":"GET","path":"/v1/leases",` +
			`"queryStrings":[{"name":"after","value":"a&b"},{"name":"after","value":""}]}}`,
	},
	"POST request": {
		`{"message": {"messageId": 1, "messageType": "REST:REQUEST", "requiresResponse": true, "method": "POST", "path": "/v1/subnets",
			"headers": [{"name": "Host", "value": "localhost:5001"}], "dataFormat": "application/json",
			"messageBody": {"subnetId": "lab", "nameservers": ["192.0.2.1", "192.0.2.2"]}}}`,
		Message{ID: 1, Type: TypeRequest, RequiresResponse: true, Request: &Request{
			Method: "POST", Path: "/v1/subnets", Headers: []Field{{"Host", "localhost:5001"}},
			Body: jsonOf(`{"subnetId": "lab", "nameservers": ["192.0.2.1", "192.0.2.2"]}`),
		}},
		`{"message":{"messageId":1,"messageType":"REST:REQUEST","requiresResponse":true,"method":"POST","path":"/v1/subnets",` +
			`"headers":[{"name":"Host","value":"localhost:5001"}],"dataFormat":"application/json",` +
			`"messageBody":{"subnetId": "lab", "nameservers": ["192.0.2.1", "192.0.2.2"]}}}`,
	},
	"PUT request, the format before the headers": {
		`{"message": {"messageId": 3, "messageType": "REST:REQUEST", "requiresResponse": true, "method": "PUT", "path": "/v1/subnets/lab",
			"dataFormat": "application/json", "headers": [], "messageBody": {"gateway": "192.0.2.3"}}}`,
		Message{ID: 3, Type: TypeRequest, RequiresResponse: true, Request: &Request{
			Method: "PUT", Path: "/v1/subnets/lab", Body: jsonOf(`{"gateway": "192.0.2.3"}`),
		}},
		`{"message":{"messageId":3,"messageType":"REST:REQUEST","requiresResponse":true,"method":"PUT","path":"/v1/subnets/lab",` +
			`"dataFormat":"application/json","messageBody":{"gateway": "192.0.2.3"}}}`,
	},
	"GET response": {
		`{"message": {"messageId": 2, "inResponseTo": 3, "messageType": "REST:RESPONSE", "reasonPhrase": null,
			"requiresResponse": false, "statusCode": 200, "dataFormat": "application/json", "messageBody": {"subnets": []}}}`,
		Message{ID: 2, Type: TypeResponse, InResponseTo: id(3), Response: &Response{StatusCode: 200, Body: jsonOf(`{"subnets": []}`)}},
		`{"message":{"messageId":2,"messageType":"REST:RESPONSE","requiresResponse":false,"inResponseTo":3,"statusCode":200,` +
			`"dataFormat":"application/json","messageBody":{"subnets": []}}}`,
	},
	"POST response": {
		`{"message": {"messageId": 2, "inResponseTo": 1, "messageType": "REST:RESPONSE", "requiresResponse": false, "statusCode": 201,
			"reasonPhrase": "Created", "headers": [{"name": "Location", "val": "/v1/subnets/lab"}]}}`,
		Message{ID: 2, Type: TypeResponse, InResponseTo: id(1), Response: &Response{
			StatusCode: 201, Reason: "Created", Headers: []Field{{"Location", "/v1/subnets/lab"}},
		}},
		`{"message":{"messageId":2,"messageType":"REST:RESPONSE","requiresResponse":false,"inResponseTo":1,"statusCode":201,"reasonPhrase":"Created",` +
			`"headers":[{"name":"Location","value":"/v1/subnets/lab","val":"/v1/subnets/lab"}]}}`,
	},
	"DELETE response": {
		`{"message": {"messageId": 3, "inResponseTo": 5, "messageType": "REST:RESPONSE", "requiresResponse": false, "statusCode": 200}}`,
		Message{ID: 3, Type: TypeResponse, InResponseTo: id(5), Response: &Response{StatusCode: 200}},
		`{"message":{"messageId":3,"messageType":"REST:RESPONSE","requiresResponse":false,"inResponseTo":5,"statusCode":200}}`,
	},
	"event": {
		`{"message": {"messageId": 9, "messageType": "EVENT:DHCP:leaseAcquired", "requiresResponse": false,
			"dataFormat": "application/json", "messageBody": {"ip": "192.0.2.7"}}}`,
		Message{ID: 9, Type: "EVENT:DHCP:leaseAcquired", Event: &Event{Name: "DHCP:leaseAcquired", Body: jsonOf(`{"ip": "192.0.2.7"}`)}},
		`{"message":{"messageId":9,"messageType":"EVENT:DHCP:leaseAcquired","requiresResponse":false,` +
			`"dataFormat":"application/json","messageBody":{"ip": "192.0.2.7"}}}`,
	},
	"event of text": {
		`{"message": {"messageId": 9, "messageType": "EVENT:note", "requiresResponse": false, "dataFormat": "text/plain", "messageBody": "caf\u00e9 <&>"}}`,
		Message{ID: 9, Type: "EVENT:note", Event: &Event{Name: "note", Body: Body{Format: "text/plain", Bytes: []byte("café <&>")}}},
		`{"message":{"messageId":9,"messageType":"EVENT:note","requiresResponse":false,"dataFormat":"text/plain","messageBody":"café <&>"}}`,
	},
	"event of octets": {
		`{"message": {"messageId": 9, "messageType": "EVENT:blob", "requiresResponse": false, "dataFormat": "application/octet-stream", "messageBody": "AP/+"}}`,
		Message{ID: 9, Type: "EVENT:blob", Event: &Event{Name: "blob", Body: Body{Format: OctetStream, Bytes: []byte{0, 0xff, 0xfe}}}},
		`{"message":{"messageId":9,"messageType":"EVENT:blob","requiresResponse":false,"dataFormat":"application/octet-stream","messageBody":"AP/+"}}`,
	},
	"a type that nobody knows, as the Micronets gateway sends it": {
		`{"message": {"messageId": 7, "messageType": "CONN:INFO", "info": "up"}}`,
		Message{ID: 7, Type: "CONN:INFO"},
		`{"message":{"messageId":7,"messageType":"CONN:INFO","requiresResponse":false}}`,
	},
}

func TestGolden(t *testing.T) {
	for name, c := range golden {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&c.want, got); d != "" {
				t.Errorf("it was read as (-want +got):\n%s", d)
			}
			out, err := got.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.out, string(out)); d != "" {
				t.Errorf("it is written as (-want +got):\n%s", d)
			}
		})
	}
}

// aRequest is one with these members added.
func aRequest(members string) string {
	return `{"message":{"messageId":1,"messageType":"REST:REQUEST","method":"POST","path":"/p",` + members + `}}`
}

func TestLiberal(t *testing.T) {
	tests := map[string]struct {
		in   string
		want Request
	}{
		"a query in the path":          {aRequest(`"x":1`), Request{}},
		"the last of a name counts":    {aRequest(`"path":"/q?a=b","method":"PUT"`), Request{Method: "PUT", Path: "/q?a=b"}},
		"null for nothing":             {aRequest(`"headers":null,"queryStrings":null,"dataFormat":null,"messageBody":null`), Request{}},
		"headers that a body has":      {aRequest(`"headers":[{"name":"content-TYPE","value":"a/b"},{"name":"Content-Length","value":"9"},{"name":"Content-Encoding","val":"gzip"},{"name":"X","val":"1"}]`), Request{Headers: []Field{{"X", "1"}}}},
		"value before val":             {aRequest(`"headers":[{"name":"X","val":"1","value":"2"},{"name":"Y","value":null,"val":"3"}]`), Request{Headers: []Field{{"X", "2"}, {"Y", "3"}}}},
		"no format":                    {aRequest(`"messageBody":[1]`), Request{Body: jsonOf(`[1]`)}},
		"a JSON string":                {aRequest(`"dataFormat":"application/json","messageBody":"[1]"`), Request{Body: jsonOf(`"[1]"`)}},
		"a JSON null":                  {aRequest(`"dataFormat":"application/json","messageBody":null`), Request{Body: jsonOf(`null`)}},
		"numbers that no float has":    {aRequest(`"dataFormat":"application/json","messageBody":[1e400, 12345678901234567890, 1.0]`), Request{Body: jsonOf(`[1e400, 12345678901234567890, 1.0]`)}},
		"JSON text in a string":        {aRequest(`"dataFormat":"application/json; charset=utf-8","messageBody":" [1.0]\n"`), Request{Body: Body{JSON, "application/json; charset=utf-8", []byte(`[1.0]`)}}},
		"parameters and a JSON value":  {aRequest(`"dataFormat":"Application/JSON;charset=utf-8","messageBody":{"a":1}`), Request{Body: Body{JSON, "Application/JSON;charset=utf-8", []byte(`{"a":1}`)}}},
		"octets with a parameter":      {aRequest(`"dataFormat":"application/octet-stream; a=b","messageBody":"/w=="`), Request{Body: Body{OctetStream, "application/octet-stream; a=b", []byte{0xff}}}},
		"octets of a type":             {aRequest(`"dataFormat":"application/octet-stream","contentType":"image/png","messageBody":"/w=="`), Request{Body: Body{OctetStream, "image/png", []byte{0xff}}}},
		"a format without a body":      {aRequest(`"dataFormat":"application/json"`), Request{}},
		"text that is empty":           {aRequest(`"dataFormat":"text/plain","messageBody":""`), Request{Body: Body{"text/plain", "", []byte{}}}},
		"text of null":                 {aRequest(`"dataFormat":"text/plain","messageBody":null`), Request{}},
		"half a surrogate pair":        {aRequest(`"dataFormat":"text/plain","messageBody":"\ud800"`), Request{Body: Body{"text/plain", "", []byte("\ufffd")}}},
		"JSON text of another type":    {aRequest(`"dataFormat":"application/problem+json","messageBody":"{}"`), Request{Body: Body{"application/problem+json", "", []byte("{}")}}},
		"members beside the message":   {`{"id":1,` + aRequest(`"path":"/p"`)[1:], Request{}},
		"blanks around and in it":      {"\n" + aRequest("\"path\"\t:\r\n\"/p\" ") + " \n", Request{}},
		"names held to the letter":     {aRequest(`"Method":"PUT","PATH":"/q"`), Request{}},
		"a name that no UTF-16 has":    {aRequest(`"\ud83d":1`), Request{}},
		"a method that HTTP lacks":     {aRequest(`"method":"PROPFIND"`), Request{Method: "PROPFIND"}},
		"an inResponseTo of a request": {aRequest(`"inResponseTo":null`), Request{}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Method == "" {
				c.want.Method = "POST"
			}
			if c.want.Path == "" {
				c.want.Path = "/p"
			}
			if d := cmp.Diff(&c.want, got.Request); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestRequiresResponse(t *testing.T) {
	for members, want := range map[string]bool{
		`"x":1`:                    true,
		`"requiresResponse":null`:  true,
		`"requiresResponse":false`: false,
		`"messageType":"EVENT:e"`:  false,
		`"messageType":"EVENT:e","requiresResponse":true`:                 true,
		`"messageType":"CONN:INFO"`:                                       false,
		`"messageType":"REST:RESPONSE","statusCode":200,"inResponseTo":1`: false,
	} {
		m, err := Parse([]byte(aRequest(members)))
		if err != nil || m.RequiresResponse != want {
			t.Errorf("%s: %+v, %v", members, m, err)
		}
	}
}

func TestIDs(t *testing.T) {
	for text, want := range map[string]int64{
		`5`: 5, `"5"`: 5, `"007"`: 7, `-1`: -1, `0`: 0, `-0`: 0, `9223372036854775807`: 1<<63 - 1,
	} {
		m, err := Parse([]byte(`{"message":{"messageType":"REST:RESPONSE","messageId":` + text + `,"inResponseTo":` + text + `,"statusCode":200}}`))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if m.ID != want || *m.InResponseTo != want {
			t.Errorf("%s: got %d and %d", text, m.ID, *m.InResponseTo)
		}
	}
	for _, text := range []string{`1.0`, `1e2`, `true`, `""`, `"x"`, `"+5"`, `"5 "`, `[5]`, `{}`, `9223372036854775808`} {
		for _, name := range []string{"messageId", "inResponseTo"} {
			_, err := Parse([]byte(aRequest(`"` + name + `":` + text)))
			if err == nil {
				t.Errorf("%s %s was taken", name, text)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	deep := strings.Repeat("[", 499) + strings.Repeat("]", 499)
	tests := map[string]string{
		"nothing":                      ``,
		"half a message":               `{"message":{"messageId":1`,
		"two messages":                 aRequest(`"x":1`) + aRequest(`"x":1`),
		"null":                         `null`,
		"an array":                     `[{"message":{}}]`,
		"no message":                   `{"Message":{"messageId":1,"messageType":"CONN:INFO"}}`,
		"a message that is no object":  `{"message":[]}`,
		"a message that is null":       `{"message":null}`,
		"no type":                      `{"message":{"messageId":1}}`,
		"a type that is a number":      `{"message":{"messageId":1,"messageType":1}}`,
		"an empty type":                `{"message":{"messageId":1,"messageType":""}}`,
		"a request without an id":      `{"message":{"messageType":"REST:REQUEST","method":"GET","path":"/"}}`,
		"requiresResponse as a string": aRequest(`"requiresResponse":"true"`),
		"bytes that are no UTF-8":      aRequest("\"x\":\"\xff\""),
		"too deep":                     aRequest(`"messageBody":` + deep),
		"a newline in a string":        aRequest("\"x\":\"\n\""),
		"NaN beside what is no JSON":   aRequest(`"messageBody":NaN,`),
		"NaN for an id":                aRequest(`"messageId":NaN,"messageType":NaN`),
	}
	for name, in := range tests {
		_, err := Parse([]byte(in))
		var content *ContentError
		if err == nil || errors.As(err, &content) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestContentRefused(t *testing.T) {
	response := func(members string) string {
		return `{"message":{"messageId":1,"inResponseTo":1,"messageType":"REST:RESPONSE",` + members + `}}`
	}
	tests := map[string]string{
		"no method":                     aRequest(`"method":null`),
		"an empty method":               aRequest(`"method":""`),
		"a path that is a list":         aRequest(`"path":[]`),
		"headers that are an object":    aRequest(`"headers":{}`),
		"a header without a name":       aRequest(`"headers":[{"value":"1"}]`),
		"a header without a value":      aRequest(`"headers":[{"name":"X"}]`),
		"a query that is a number":      aRequest(`"queryStrings":[{"name":"X","value":1}]`),
		"a format that is a list":       aRequest(`"dataFormat":[]`),
		"a contentType that is a list":  aRequest(`"contentType":[],"messageBody":1`),
		"text that is an object":        aRequest(`"dataFormat":"text/plain","messageBody":{}`),
		"octets that are an object":     aRequest(`"dataFormat":"application/octet-stream","messageBody":{}`),
		"octets that are no base64":     aRequest(`"dataFormat":"application/octet-stream","messageBody":"*"`),
		"a string that is no JSON text": aRequest(`"dataFormat":"application/json;charset=utf-8","messageBody":"{"`),
		"no status":                     response(`"x":1`),
		"a status of 0":                 response(`"statusCode":0`),
		"a status of 1000":              response(`"statusCode":1000`),
		"a status that is a string":     response(`"statusCode":"200"`),
		"a reason that is a number":     response(`"statusCode":200,"reasonPhrase":1`),
		"a response to nothing":         response(`"statusCode":200,"inResponseTo":null`),
		"a number of Python":            aRequest(`"messageBody":[NaN, -Infinity,Infinity]`),
		"an event without a name":       aRequest(`"messageType":"EVENT:"`),
	}
	for name, in := range tests {
		_, err := Parse([]byte(in))
		var content *ContentError
		if !errors.As(err, &content) || content.Head.ID != 1 || content.Head.Type == "" {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestParseHello(t *testing.T) {
	hello := func(members string) string {
		return `{"message":{"messageId":1,"messageType":"CONN:HELLO","requiresResponse":false,` + members + `}}`
	}
	for name, in := range map[string]string{
		"a plain one":                   hello(`"peerClass":"c","peerId":"p"`),
		"members that nobody knows":     hello(`"x":{"y":[1]}`),
		"a peer of another type":        hello(`"peerClass":1,"peerId":[]`),
		"a negative id":                 hello(`"messageId":-1`),
		"an id larger than 64 bits":     hello(`"messageId":123456789012345678901234567890`),
		"members beside it":             `{"id":1,` + hello(`"x":1`)[1:],
		"the last of a name":            hello(`"messageId":"1","messageId":2`),
		"an inResponseTo of any kind":   hello(`"inResponseTo":"x"`),
		"requiresResponse, being true":  hello(`"requiresResponse":true`),
		"a body that nobody looks into": hello(`"dataFormat":1,"messageBody":null`),
	} {
		strict, err := ParseHello([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := Parse([]byte(in))
		if d := cmp.Diff(strict, m); err != nil || d != "" {
			t.Errorf("%s: Parse gives %v, or else (-hello +parse):\n%s", name, err, d)
		}
	}
	for name, in := range map[string]string{
		"no id":                            `{"message":{"messageType":"CONN:HELLO","requiresResponse":false}}`,
		"an id that is a string":           hello(`"messageId":"1"`),
		"an id that is a float":            hello(`"messageId":1.0`),
		"an id with an exponent":           hello(`"messageId":1e2`),
		"an id that is true":               hello(`"messageId":true`),
		"an id that is null":               hello(`"messageId":null`),
		"no requiresResponse":              `{"message":{"messageType":"CONN:HELLO","messageId":1}}`,
		"requiresResponse of null":         hello(`"requiresResponse":null`),
		"requiresResponse of 0":            hello(`"requiresResponse":0`),
		"another type":                     hello(`"messageType":"REST:REQUEST","method":"GET","path":"/"`),
		"a type in other letters":          hello(`"messageType":"conn:hello"`),
		"a type that is no string":         hello(`"messageType":["CONN:HELLO"]`),
		"names in other letters":           strings.ReplaceAll(hello(`"x":1`), "messageId", "MessageID"),
		"a message in a list":              `[` + hello(`"x":1`) + `]`,
		"a message in a message":           `{"message":` + hello(`"x":1`) + `}`,
		"the message without its envelope": `{"messageId":1,"messageType":"CONN:HELLO","requiresResponse":false}`,
		"a text":                           `hello`,
		"nothing":                          ``,
	} {
		if _, err := ParseHello([]byte(in)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	withBody := func(b Body) Message { return Message{Type: "EVENT:e", Event: &Event{Name: "e", Body: b}} }
	for name, m := range map[string]Message{
		"no type":                  {},
		"a hello of nothing":       {Type: TypeHello},
		"a request of nothing":     {Type: TypeRequest},
		"a request without method": {Type: TypeRequest, Request: &Request{Path: "/"}},
		"a response to nothing":    {Type: TypeResponse, Response: &Response{StatusCode: 200}},
		"a response of nothing":    {Type: TypeResponse, InResponseTo: id(1)},
		"a status of 0":            {Type: TypeResponse, InResponseTo: id(1), Response: &Response{}},
		"an event of nothing":      {Type: "EVENT:e"},
		"an event without a name":  {Type: "EVENT:", Event: &Event{}},
		"an event of another name": {Type: "EVENT:e", Event: &Event{Name: "f"}},
		"a request in an event":    {Type: "EVENT:e", Request: &Request{Method: "GET"}},
		"JSON that is none":        withBody(jsonOf(`{`)),
		"JSON that goes on":        withBody(jsonOf(`1,"x":2`)),
		"JSON of nothing":          withBody(jsonOf(``)),
		"JSON too deep":            withBody(jsonOf(strings.Repeat("[", 499) + strings.Repeat("]", 499))),
		"JSON that is no UTF-8":    withBody(jsonOf("\"\xff\"")),
		"text that is no UTF-8":    withBody(Body{Format: "text/plain", Bytes: []byte{0xff}}),
		"bytes without a format":   withBody(Body{Bytes: []byte("x")}),
	} {
		if out, err := m.Marshal(); err == nil {
			t.Errorf("%s: written as %s", name, out)
		}
	}
}

func TestNewBody(t *testing.T) {
	const utf8JSON = "application/json; charset=utf-8"
	for name, c := range map[string]struct {
		contentType, data string
		want              Body
		mediaType         string
	}{
		"nothing":              {JSON, "", Body{}, ""},
		"JSON":                 {JSON, "{\"a\":1e400}\n", Body{JSON, "", []byte(`{"a":1e400}`)}, JSON},
		"JSON of a charset":    {utf8JSON, `[ 1 ]`, Body{JSON, utf8JSON, []byte(`[ 1 ]`)}, utf8JSON},
		"text":                 {"text/plain; charset=utf-8", "é\n", Body{"text/plain; charset=utf-8", "", []byte("é\n")}, "text/plain; charset=utf-8"},
		"text in Latin-1":      {"text/plain; charset=iso-8859-1", "caf\xe9", Body{OctetStream, "text/plain; charset=iso-8859-1", []byte("caf\xe9")}, "text/plain; charset=iso-8859-1"},
		"an image":             {"image/png", "\x89PNG", Body{OctetStream, "image/png", []byte("\x89PNG")}, "image/png"},
		"octets":               {OctetStream, "x", Body{OctetStream, "", []byte("x")}, OctetStream},
		"octets with a suffix": {"Application/Octet-Stream;a=b", "x", Body{OctetStream, "Application/Octet-Stream;a=b", []byte("x")}, "Application/Octet-Stream;a=b"},
		"no type":              {"", "x", Body{OctetStream, "", []byte("x")}, OctetStream},
	} {
		got, err := NewBody(c.contentType, []byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if got.MediaType() != c.mediaType {
			t.Errorf("%s: its media type is %q", name, got.MediaType())
		}
	}
	for _, data := range []string{`{`, ` `, `nonsense`, "\"\xff\"", "\ufeff{}"} {
		if _, err := NewBody(JSON, []byte(data)); err == nil {
			t.Errorf("%q passes for JSON", data)
		}
	}
}
