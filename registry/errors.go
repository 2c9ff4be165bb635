package registry

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"keyward/bus"
	"keyward/fault"
	"keyward/registry/wire"
	"keyward/store"
)

// refusal is an answer over 300: its status and its body.
type refusal struct {
	status int
	body   wire.Error
	retry  time.Duration // when to try again, with 429 and 503; a second where zero
}

func (r *refusal) Error() string { return r.body.Message }

func refuse(status int, code wire.Code, message, hint string) error {
	return &refusal{status: status, body: wire.Error{Error: code, Message: message, Hint: hint}}
}

// badRequest refuses what is not of the form that the path takes.
func badRequest(message string) error {
	return refuse(http.StatusBadRequest, wire.CodeBadRequest, message, "see "+wire.PathOpenAPI)
}

// policy refuses a value with the reason that its own package gives.
func policy(err error) error {
	body := wire.Error{Error: wire.CodePolicy, Message: err.Error(), Hint: fault.HintOf(err)}
	body.Faults, _ = errors.AsType[bus.Faults](err)
	return &refusal{status: http.StatusUnprocessableEntity, body: body}
}

// errRefused answers every login and token that is not right, whatever is wrong with it.
var errRefused = refuse(http.StatusUnauthorized, wire.CodeLoginRefused,
	"login refused", "")

var errBusy = refuse(http.StatusServiceUnavailable, wire.CodeBusy, "the server is busy", "try again")

var errUnavailable = refuse(http.StatusServiceUnavailable, wire.CodeUnavailable, "the server's database cannot be reached", "try again in a moment")

// refuse writes the answer for err. Only a refusal says what went wrong; the cause of
// any other error goes to the log.
func (c *call) refuse(err error) {
	r, ok := errors.AsType[*refusal](err)
	switch {
	case ok:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		c.cause = err
		r, _ = errors.AsType[*refusal](errBusy)
	case errors.Is(err, store.ErrUnavailable):
		c.cause = err
		r, _ = errors.AsType[*refusal](errUnavailable)
	default:
		c.cause = err
		r = &refusal{status: http.StatusInternalServerError, body: wire.Error{Error: wire.CodeInternal, Message: "internal error"}}
	}
	if c.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: cut it, so that nobody takes it for whole
	}
	switch r.status {
	case http.StatusUnauthorized:
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		c.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(r.retry.Seconds())))))
	}
	answer := r.body
	answer.RequestID = c.id
	body, _ := json.Marshal(answer) // strings and a finite number
	c.write(r.status, body)
}

// instead gives the refusal that an answer of the store stands for; other errors stay.
func instead(err, answer, refusal error) error {
	if errors.Is(err, answer) {
		return refusal
	}
	return err
}
