package restclient

import (
	"context"
	"time"
)

// timer ends a context that its work takes too long for.
type timer struct {
	after  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// limit starts the timer of a call. The context ends with a *timeoutError as its cause.
func (c *Client) limit(ctx context.Context) (context.Context, *timer) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := &timeoutError{after: c.timeout}
	return ctx, &timer{
		after:  c.timeout,
		timer:  time.AfterFunc(c.timeout, func() { cancel(late) }),
		cancel: cancel,
	}
}

// pause lets time pass that is not the server's.
func (t *timer) pause() { t.timer.Stop() }

// renew gives the whole time again.
func (t *timer) renew() { t.timer.Reset(t.after) }

// stop ends the context.
func (t *timer) stop() {
	t.timer.Stop()
	t.cancel(nil)
}

// timeoutError is the cause of a context that the timer ended.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return "no whole answer within " + e.after.String() }
