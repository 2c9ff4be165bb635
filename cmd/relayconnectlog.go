package cmd

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// noteLog is a log whose lines are notes for people: the message, and in brackets what it is about.
func (e *env) noteLog() *slog.Logger { return slog.New(noteHandler{env: e}) }

type noteHandler struct {
	*env
	about []slog.Attr
}

func (h noteHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h noteHandler) Handle(_ context.Context, r slog.Record) error {
	words := []string{}
	add := func(a slog.Attr) bool {
		value := a.Value.String()
		if a.Value.Kind() == slog.KindDuration {
			value = a.Value.Duration().Round(10 * time.Millisecond).String()
		}
		words = append(words, a.Key+" "+value)
		return true
	}
	for _, a := range h.about {
		add(a)
	}
	r.Attrs(add)
	text := r.Message
	if len(words) > 0 {
		text += " (" + strings.Join(words, ", ") + ")"
	}
	if r.Level >= slog.LevelWarn {
		text = "warning: " + text
	}
	h.note("%s", printable(text))
	return nil
}

func (h noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.about = append(h.about[:len(h.about):len(h.about)], attrs...)
	return h
}

func (h noteHandler) WithGroup(string) slog.Handler { return h }
