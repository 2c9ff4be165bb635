package restclient

import (
	"context"
	"iter"

	"keyward/registry/wire"
)

// stream makes the call and yields what is in the list of its answer while it arrives.
func stream[T any](ctx context.Context, c *Client, k call, list string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		each := func(one T) bool { return yield(one, nil) }
		if err := eachOf(ctx, c, k, list, each); err != nil {
			yield(*new(T), err)
		}
	}
}

func eachOf[T any](ctx context.Context, c *Client, k call, list string, each func(T) bool) error {
	ctx, timer := c.limit(ctx)
	defer timer.stop()
	at := c.at(k)
	resp, err := c.send(ctx, k)
	if err != nil {
		return noAnswer(ctx, at, err, c.now())
	}
	defer resp.Body.Close()
	at.Status = resp.StatusCode
	if err := judgeHeader(at, resp.Header, true); err != nil {
		return err
	}
	if at.Status >= 300 {
		body, err := readAll(resp.Body)
		if err != nil {
			return noAnswer(ctx, at, err, c.now())
		}
		return refusal(at, resp.Header, body, c.now())
	}
	body := &bounded{r: resp.Body, left: wire.MaxAnswer}
	more := func() { body.left = wire.MaxAnswer; timer.renew() }
	err = decodeEach(body, list, more, func(one T) bool {
		timer.pause() // the caller's time is not the server's
		return each(one)
	})
	if err != nil {
		return noAnswer(ctx, at, err, c.now())
	}
	return nil
}
