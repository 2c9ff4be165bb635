package cmd

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"keyward/fault"
	"keyward/internal/durable"
)

var errInterrupted = errors.New("interrupted")

// untilSignal is a context that SIGINT and SIGTERM end. A second one ends the program.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// putStream has do write a file that is put in place when it is whole. An interrupt leaves nothing of it.
func putStream(ctx context.Context, path string, mode fs.FileMode, replace bool, do func(io.Writer) error) error {
	ctx, stop := untilSignal(ctx)
	defer stop()
	name := filepath.Base(path)
	err := durable.Put(ctx, filepath.Dir(path), name, []durable.File{{Name: name, Mode: mode, Write: func(w io.Writer) error {
		return copyUntilDone(ctx, w, do)
	}}}, replace)
	if errors.Is(err, context.Canceled) {
		return fault.New(fault.Failed, "", "%w: %s is not written", errInterrupted, path)
	}
	return err
}

// copyUntilDone passes on to w what do writes, until ctx ends. It does not wait for do then, which may be in a read of
// stdin that nothing ends: that is left to the end of the program.
func copyUntilDone(ctx context.Context, w io.Writer, do func(io.Writer) error) error {
	out, in := io.Pipe()
	defer func() { _ = out.Close() }()
	defer context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })()
	go func() { _ = in.CloseWithError(do(in)) }()
	_, err := io.Copy(w, out)
	return err
}

// untilDone is what r gives, until ctx ends. A read of r that waits then is left to the end of the program.
func untilDone(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(in, r)
		_ = in.CloseWithError(err)
	}()
	return out
}
