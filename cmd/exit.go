package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"keyward/bus"
	"keyward/certs/plan"
	"keyward/fault"
	"keyward/restclient"
)

// report tells an error on stderr and returns the exit code.
func (e *env) report(err error) int {
	if err == nil {
		return 0
	}
	kind, hint := kindOf(err), e.hintOf(err)
	switch {
	case e.quiet && (kind == fault.Due || kind == fault.NothingDue): // an answer, and the exit code says it
	case e.json:
		e.reportJSON(err)
	default:
		e.reportText(err, hint)
	}
	if e.script {
		return 1 // the scripts know no other
	}
	return int(kind)
}

// hintOf is the error's hint, but for a changed key, whose mend is where its pin is kept.
func (e *env) hintOf(err error) string {
	if changed, ok := errors.AsType[*restclient.PinError](err); ok && e.pinFiles[changed.Want] != "" {
		return "ask its administrator; if the change is meant, delete the server's line `... tls ...` from " + e.pinFiles[changed.Want]
	}
	return fault.HintOf(err)
}

func (e *env) reportText(err error, hint string) {
	_, _ = fmt.Fprintf(e.stderr, "%s: %s\n", e.name, printableLines(err.Error()))
	if hint != "" {
		_, _ = fmt.Fprintf(e.stderr, "  hint: %s\n", printable(hint))
	}
}

// printableLines is printable for each line: an error may have a path or a word that somebody else wrote.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// failure is an error in JSON.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Request string `json:"request_id,omitempty"` // of the registry, as its log has it
	Faults  any    `json:"faults,omitempty"`     // of a manifest or an account
}

func (e *env) failure(err error) *failure {
	f := &failure{Code: kindOf(err).Code(), Message: err.Error(), Hint: e.hintOf(err)}
	if faults, ok := errors.AsType[plan.Faults](err); ok {
		f.Faults = faults
	} else if faults, ok := errors.AsType[bus.Faults](err); ok {
		f.Faults = faults
	}
	if answer, ok := errors.AsType[*restclient.Error](err); ok {
		f.Request = answer.RequestID
	}
	return f
}

func (e *env) reportJSON(err error) {
	line := struct {
		Error *failure `json:"error"`
	}{e.failure(err)}
	out := json.NewEncoder(e.stderr)
	out.SetEscapeHTML(false) // no browser reads it, and a > is a word of the bus
	_ = out.Encode(line)
}

// kindOf finds an error's kind, where nothing nearer the cause named one from the system's own errors.
func kindOf(err error) fault.Kind {
	if kind := fault.KindOf(err); kind != fault.Failed {
		return kind
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.NotFound
	case errors.Is(err, fs.ErrExist):
		return fault.Exists
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.NotPermitted
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Unreachable
	default:
		return fault.Failed
	}
}

// ExitCodes is the table of exit codes, a line each, as every help page prints it.
func ExitCodes() string {
	var b strings.Builder
	b.WriteString("0 done")
	for _, kind := range fault.Kinds() {
		fmt.Fprintf(&b, ", %d %s", int(kind), kind.Error())
	}
	return b.String()
}
