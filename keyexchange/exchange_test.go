package keyexchange

import (
	"context"
	"testing"
)

func TestFetch(t *testing.T) {
	w := newWorld(t)
	keys, err := w.client().Fetch(t.Context())
	check(t, err)
	if keys != w.keys() {
		t.Error("other keys")
	}
}

func TestWatch(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan OpenKeys)
	done := make(chan error)
	go func() { done <- w.client().Watch(ctx, func(k OpenKeys) { got <- k }) }()
	if first := <-got; first != w.keys() {
		t.Error("other keys")
	}
	w.rotate(t)
	if second := <-got; second != w.keys() {
		t.Error("other keys after the change")
	}
	cancel()
	check(t, <-done)
}
