package natsauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"keyward/fault"
)

// Each client is counted by what became of it.
func TestMetrics(t *testing.T) {
	m := NewMetrics(nil, nil)
	health := func() int {
		w := httptest.NewRecorder()
		m.answerHealth(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
		return w.Code
	}
	if got := health(); got != http.StatusServiceUnavailable {
		t.Errorf("before the start: %d", got)
	}
	if page := string(m.page()); strings.Contains(page, "keyward_bus_connections") || strings.Contains(page, "keyward_bus_store_read") {
		t.Errorf("before the start: %s", page)
	}
	for _, err := range []error{
		nil, nil,
		fault.New(fault.NotTrusted, "", "revoked"),
		fault.New(fault.NotFound, "", "no account"),
		fault.New(fault.NotPermitted, "", "revoked"),
		fault.New(fault.Unreachable, "", "%w: a second ago", errLate),
		fault.New(fault.Unreachable, "", "the store does not answer: %w", context.DeadlineExceeded),
		fault.New(fault.Unreachable, "", "the store does not answer: %w", errors.New("refused")),
		fault.New(fault.Policy, "", "too large"),
	} {
		m.Answered(err, 2*time.Second)
	}
	m.Ended(NotTrusted)
	m.StoreRead()
	m.Working(func() int { return 7 })
	if got := health(); got != http.StatusOK {
		t.Errorf("while it works: %d", got)
	}
	page := string(m.page())
	for name, want := range map[string]int{
		`answers_total{outcome="let_in"}`: 2, `answers_total{outcome="not_trusted"}`: 1, `answers_total{outcome="no_account"}`: 1,
		`answers_total{outcome="not_permitted"}`: 1, `answers_total{outcome="late"}`: 2, `answers_total{outcome="store_failed"}`: 1,
		`answers_total{outcome="failed"}`: 1, `answer_duration_seconds_bucket{le="1"}`: 0, `answer_duration_seconds_bucket{le="2.5"}`: 9,
		`disconnects_total{reason="not_trusted"}`: 1, `disconnects_total{reason="account"}`: 0, `connections`: 7,
	} {
		if line := fmt.Sprintf("\nkeyward_bus_%s %d\n", name, want); !strings.Contains(page, line) {
			t.Errorf("no%s in %s", line, page)
		}
	}
	m.Working(nil)
	if got := health(); got != http.StatusServiceUnavailable {
		t.Errorf("after the end: %d", got)
	}
}
