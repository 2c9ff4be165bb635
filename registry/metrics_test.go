package registry

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyward/registry/wire"
)

// family is a metric as read from a page.
type family struct {
	kind    string
	samples map[string]float64 // by name and labels, as written
	order   []string
}

var (
	helpLine   = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ([^\\]|\\\\|\\n)+$`)
	typeLine   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)`)
)

// parsePage reads a page of metrics more strictly than Prometheus does: each family once, its help, its type and all its
// samples together; no sample twice; only characters that need no second look.
func parsePage(page string) (map[string]*family, error) {
	if page != "" && !strings.HasSuffix(page, "\n") {
		return nil, fmt.Errorf("the last line is cut off")
	}
	families := map[string]*family{}
	var helped, current string
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if m := helpLine.FindStringSubmatch(line); m != nil {
			helped = m[1]
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if m[1] != helped || families[m[1]] != nil {
				return nil, fmt.Errorf("type without a help, or twice: %q", line)
			}
			current = m[1]
			families[current] = &family{kind: m[2], samples: map[string]float64{}}
			continue
		}
		if helped != current {
			return nil, fmt.Errorf("no type after the help: %q", line)
		}
		if err := families[current].add(current, line); err != nil {
			return nil, err
		}
	}
	for name, f := range families {
		if err := f.check(name); err != nil {
			return nil, err
		}
	}
	return families, nil
}

func (f *family) add(name, line string) error {
	m := sampleLine.FindStringSubmatch(line)
	if f == nil || m == nil {
		return fmt.Errorf("no sample: %q", line)
	}
	suffix, ok := strings.CutPrefix(m[1], name)
	if !ok || suffix != "" && (f.kind != "histogram" || suffix != "_bucket" && suffix != "_sum" && suffix != "_count") {
		return fmt.Errorf("not of %s: %q", name, line)
	}
	seen := map[string]bool{}
	for labels := m[3]; labels != ""; {
		pair := labelPair.FindStringSubmatch(labels)
		if pair == nil || seen[pair[1]] {
			return fmt.Errorf("bad labels: %q", line)
		}
		seen[pair[1]] = true
		labels = labels[len(pair[0]):]
		if pair[3] == "," && labels == "" {
			return fmt.Errorf("bad labels: %q", line)
		}
	}
	value, err := strconv.ParseFloat(m[4], 64)
	key := m[1] + m[2]
	if _, twice := f.samples[key]; twice || err != nil || math.IsNaN(value) || value < 0 {
		return fmt.Errorf("bad value, or twice: %q", line)
	}
	f.samples[key] = value
	f.order = append(f.order, key)
	return nil
}

// check holds what the format asks of counters' names and of histograms.
func (f *family) check(name string) error {
	if strings.HasSuffix(name, "_total") != (f.kind == "counter") {
		return fmt.Errorf("%s is a %s", name, f.kind)
	}
	if f.kind != "histogram" {
		return nil
	}
	var last, bound float64
	for _, key := range f.order {
		labels, bucket := strings.CutPrefix(key, name+"_bucket")
		if !bucket {
			if strings.HasPrefix(key, name+"_count") && f.samples[key] != last {
				return fmt.Errorf("%s is not its last bucket %v", key, last)
			}
			if strings.HasPrefix(key, name+"_count") {
				last, bound = 0, 0
			}
			continue
		}
		le, err := strconv.ParseFloat(regexp.MustCompile(`le="([^"]*)"`).FindStringSubmatch(labels)[1], 64)
		if err != nil || le <= bound || f.samples[key] < last {
			return fmt.Errorf("%s is out of order", key)
		}
		last, bound = f.samples[key], le
	}
	if last != 0 {
		return fmt.Errorf("%s has no count in the end", name)
	}
	return nil
}

// TestParsePage sees that the parser of this test refuses what is no page.
func TestParsePage(t *testing.T) {
	const head = "# HELP a_total A.\n# TYPE a_total counter\n"
	const histogram = "# HELP h H.\n# TYPE h histogram\n"
	if _, err := parsePage(head + "a_total{x=\"\\\"\\\\\\n\",y=\"\"} 1\n"); err != nil {
		t.Error(err)
	}
	for _, page := range []string{
		"a_total 1\n", head + "a_total 1", head + "a_total\n", head + "a_total one\n", head + "a_total 1\na_total 1\n", head + "b_total 1\n",
		head + "a_total{x=1} 1\n", head + `a_total{x="1",} 1` + "\n", head + `a_total{x="1",x="2"} 1` + "\n", head + `a_total{x="\t"} 1` + "\n",
		head + head, "# TYPE a_total counter\n", "# HELP a A.\n# TYPE a counter\na 1\n", "# HELP a_total A.\na_total 1\n", head + "a_total NaN\n", head + "a_total -1\n",
		histogram + `h_bucket{le="1"} 2` + "\n" + `h_bucket{le="+Inf"} 1` + "\nh_sum 1\nh_count 1\n",
		histogram + `h_bucket{le="1"} 1` + "\n" + `h_bucket{le="+Inf"} 1` + "\nh_sum 1\nh_count 2\n",
		histogram + `h_bucket{le="2"} 1` + "\n" + `h_bucket{le="1"} 1` + "\nh_sum 1\nh_count 1\n",
		histogram + `h_bucket{le="+Inf"} 1` + "\n",
	} {
		if _, err := parsePage(page); err == nil {
			t.Errorf("taken: %q", page)
		}
	}
}

// metric reads the page that the handler gives.
func (h *harness) metric() map[string]*family {
	h.t.Helper()
	families, err := parsePage(string(h.page()))
	if err != nil {
		h.t.Fatal(err)
	}
	return families
}

// TestMetrics drives the server and holds its counts.
func TestMetrics(t *testing.T) {
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	h := start(t, func(c *Config) {
		c.Version = "1\"2\\3\n" // escaped
		c.Store = broken{c.Store}
		c.Certificates = func() map[string]*x509.Certificate { return map[string]*x509.Certificate{"server": {NotAfter: end}} }
	})
	pair := newPair(t)
	h.register("alice", pair.Public)
	h.token(passwordForm("alice", alicePassword))
	token := h.token(keyForm("alice", h.seal(pair, 0)))
	h.do(request{method: "POST", path: wire.PathToken, form: passwordForm("alice", "wrong password")})
	h.do(request{method: "POST", path: wire.PathToken, form: keyForm("alice", h.seal(newPair(t), 0))})
	h.do(request{method: "POST", path: wire.PathToken, form: keyForm("nobody", h.seal(pair, 0))})
	h.do(request{method: "POST", path: wire.PathToken})
	h.do(request{method: "GET", path: wire.UserKeysPath("alice"), token: token})
	h.do(request{method: "GET", path: "/secret"})
	h.do(request{method: "BREW", path: "/other"})
	h.do(request{method: "GET", path: wire.PathReady}) // panics
	h.cfg.Store.Close()
	h.do(request{method: "GET", path: wire.PathKeys, token: token}) // the store fails
	h.stop()                                                        // each call is counted after its answer

	families := h.metric()
	for sample, want := range map[string]float64{
		`keyward_http_requests_total{route="/api/v3/token",method="POST",status="200"}`:            2,
		`keyward_http_requests_total{route="/api/v3/token",method="POST",status="401"}`:            3,
		`keyward_http_requests_total{route="/api/v3/token",method="POST",status="415"}`:            1,
		`keyward_http_requests_total{route="/api/v3/users/{user}/keys",method="GET",status="200"}`: 1,
		`keyward_http_requests_total{route="other",method="GET",status="404"}`:                     1,
		`keyward_http_requests_total{route="other",method="other",status="404"}`:                   1,
		`keyward_logins_total{grant="password",result="granted"}`:                                  1,
		`keyward_logins_total{grant="password",result="refused"}`:                                  1,
		`keyward_logins_total{grant="apikey",result="granted"}`:                                    1,
		`keyward_logins_total{grant="apikey",result="refused"}`:                                    2,
		`keyward_tokens_issued_total`:                                                              2,
		`keyward_panics_total`:                                                                     1,
		`keyward_store_errors_total`:                                                               1,
		`keyward_certificate_not_after_seconds{certificate="server"}`:                              float64(end.Unix()),
		`keyward_connections_open`:                                                                 0,
		`keyward_connections_refused_total`:                                                        0,
		`keyward_connections_limit`:                                                                4096,
		`keyward_hashing_queue`:                                                                    0,
		`keyward_http_request_duration_seconds_count{route="/api/v3/token",method="POST"}`:         6,
	} {
		name, _, _ := strings.Cut(sample, "{")
		f := families[strings.TrimSuffix(name, "_count")]
		if f == nil {
			t.Errorf("no %s", name)
		} else if got, found := f.samples[sample]; got != want || !found {
			t.Errorf("%s is %v, want %v", sample, got, want)
		}
	}
	if _, found := families["keyward_build_info"].samples[`keyward_build_info{version="1\"2\\3\n",go_version="`+runtime.Version()+`"}`]; !found {
		t.Errorf("the version: %v", families["keyward_build_info"].samples)
	}
	if page := string(h.page()); strings.Contains(page, "alice") || strings.Contains(page, "secret") || strings.Contains(page, "BREW") {
		t.Errorf("the page has what a client sent:\n%s", page)
	}
}

// TestMetricsBusy has more than one kind of refusal.
func TestMetricsBusy(t *testing.T) {
	m := newMetrics()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		r, err := http.NewRequest(http.MethodPost, wire.PathToken, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.count(&call{r: r, path: wire.PathToken, grant: wire.GrantPassword, status: status, start: time.Now()})
	}
	if limited, failed := m.logins[outcome{wire.GrantPassword, "limited"}], m.logins[outcome{wire.GrantPassword, "failed"}]; limited != 1 || failed != 1 || m.limited.Load() != 1 {
		t.Errorf("limited %d (%d), failed %d", limited, m.limited.Load(), failed)
	}
}

// TestServeMetrics fetches the page over its own listener, which ends with its context.
func TestServeMetrics(t *testing.T) {
	h := start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.ServeMetrics(ctx, l) }()
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"POST", "/metrics", 405}, {"GET", "/", 404}, {"GET", wire.PathHealth, 404}} {
		r, err := http.NewRequestWithContext(ctx, c.method, "http://"+l.Addr().String()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(w.Body)
		w.Body.Close()
		if err != nil || w.StatusCode != c.status || !w.Close {
			t.Errorf("%s %s: %d, closes %t, %v", c.method, c.path, w.StatusCode, w.Close, err)
		}
		if c.status != 200 {
			continue
		}
		if got := w.Header.Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
			t.Errorf("it is %s", got)
		}
		if _, err := parsePage(string(body)); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}
