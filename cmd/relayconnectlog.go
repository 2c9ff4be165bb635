package cmd

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// noteLog is a log whose lines are notes for people: the message, its cause, and in brackets what else there is to tell.
func (e *env) noteLog() *slog.Logger { return slog.New(noteHandler{env: e}) }

type noteHandler struct {
	*env
	about []slog.Attr
}

func (h noteHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (h noteHandler) Handle(_ context.Context, r slog.Record) error {
	text, more, hint := r.Message, []string(nil), ""
	add := func(a slog.Attr) bool {
		switch {
		case a.Key == "cause":
			text += ": " + a.Value.String()
		case a.Key == "hint":
			hint = a.Value.String()
		case a.Value.Kind() == slog.KindDuration:
			more = append(more, a.Key+" in "+a.Value.Duration().Round(10*time.Millisecond).String())
		default:
			more = append(more, a.Key+" "+a.Value.String())
		}
		return true
	}
	for _, a := range h.about {
		add(a)
	}
	r.Attrs(add)
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	if r.Level >= slog.LevelWarn {
		text = "warning: " + text
	}
	h.note("%s", printable(text))
	if hint != "" {
		h.note("  hint: %s", printable(hint))
	}
	return nil
}

func (h noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.about = append(h.about[:len(h.about):len(h.about)], attrs...)
	return h
}

func (h noteHandler) WithGroup(string) slog.Handler { return h }
