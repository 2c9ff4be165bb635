package registry

import (
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"time"
)

// stream answers with a list as the store gives it, however long it is: before is the JSON up to its first thing. Where the
// store fails at the start the answer is still an error, later it is cut off.
func stream[T, W any](c *call, before string, list iter.Seq2[T, error], form func(T) W) error {
	out := json.NewEncoder(c)
	for one, err := range list {
		if err != nil {
			return err
		}
		c.renew()
		c.separate(before)
		if err := out.Encode(form(one)); err != nil {
			return err
		}
	}
	if c.status == 0 {
		c.separate(before)
	}
	_, err := io.WriteString(c, "]}")
	return err
}

// separate writes what stands before the first thing of a list, and between two.
func (c *call) separate(before string) {
	if c.status == 0 {
		c.begin(http.StatusOK)
		_, _ = io.WriteString(c, before)
		return
	}
	_, _ = io.WriteString(c, ",")
}

// renew gives each thing of a list as long as a whole answer has: a list has no bound, and who reads on is not cut off.
func (c *call) renew() {
	if srv, ok := c.r.Context().Value(http.ServerContextKey).(*http.Server); ok && srv.WriteTimeout > 0 {
		_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(srv.WriteTimeout))
	}
}
