package restclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	"keyward/bus"
	"keyward/fault"
	"keyward/registry/wire"
)

// Error is a call that failed. It is in the chain of every error that a call returns.
type Error struct {
	Method    string    // empty where only a connection was made
	URL       string    // without a query
	Status    int       // of HTTP; zero where no answer came
	Code      wire.Code // the answer's "error", empty where it has none
	Message   string    // what the server says, or what went wrong on the way to it
	RequestID string    // names the call in the server's log; empty where the server does not say
	Err       error     // the cause, where there is one
}

// Error says what went wrong first, and then in which call.
func (e *Error) Error() string {
	where := e.URL
	if e.Method != "" {
		where = e.Method + " " + e.URL
	}
	switch {
	case e.Status == 0:
		return fmt.Sprintf("%s (%s)", e.Message, where)
	case e.Code == "":
		return fmt.Sprintf("%s (%d from %s)", e.Message, e.Status, where)
	case e.RequestID == "":
		return fmt.Sprintf("%s (%d %s from %s)", e.Message, e.Status, e.Code, where)
	}
	return fmt.Sprintf("%s (%d %s from %s) (request %s)", e.Message, e.Status, e.Code, where, e.RequestID)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// refusals are the kinds of the codes, and what to do where the server gives no hint.
var refusals = map[wire.Code]struct {
	kind fault.Kind
	hint string
}{
	wire.CodeBadRequest:     {fault.Usage, ""},
	wire.CodeLoginRefused:   {fault.LoginRefused, "log in again: the token is expired, revoked or unknown"},
	wire.CodeLoginTime:      {fault.LoginRefused, "set this machine's clock, for example with: timedatectl set-ntp true"},
	wire.CodeLoginReplay:    {fault.LoginRefused, "log in again: each login message is taken once"},
	wire.CodeNotPermitted:   {fault.NotPermitted, "ask an administrator of the registry"},
	wire.CodePasswordNeeded: {fault.NotPermitted, "log in with the password: a token from a key login cannot do this"},
	wire.CodeNotFound:       {fault.NotFound, ""},
	wire.CodeMethod:         {fault.Unreachable, hintOther},
	wire.CodeExists:         {fault.Exists, ""},
	wire.CodeChanged:        {fault.Exists, ""},
	wire.CodePolicy:         {fault.Policy, ""},
	wire.CodeLimited:        {fault.LoginRefused, "wait, then try again"},
	wire.CodeBusy:           {fault.Unreachable, "try again in a moment"},
	wire.CodeUnavailable:    {fault.Unreachable, "try again in a moment"},
	wire.CodeInternal:       {fault.Unreachable, "look into the registry's log"},
}

const hintOther = "check --url, and that client and registry are of versions that go together"

// byStatus gives a code to an answer of a server whose codes are others.
var byStatus = map[int]wire.Code{
	http.StatusBadRequest:            wire.CodeBadRequest,
	http.StatusUnauthorized:          wire.CodeLoginRefused,
	http.StatusForbidden:             wire.CodeNotPermitted,
	http.StatusNotFound:              wire.CodeNotFound,
	http.StatusMethodNotAllowed:      wire.CodeMethod,
	http.StatusConflict:              wire.CodeExists,
	http.StatusRequestEntityTooLarge: wire.CodeBadRequest,
	http.StatusUnsupportedMediaType:  wire.CodeBadRequest,
	http.StatusUnprocessableEntity:   wire.CodePolicy,
	http.StatusTooManyRequests:       wire.CodeBusy,
	http.StatusServiceUnavailable:    wire.CodeBusy,
}

// refusal is the fault that an answer with an error status means.
func refusal(at Error, header http.Header, body []byte, now time.Time) error {
	var answer wire.Error
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error == "" {
		return notRegistry(at, "it answers %d without saying why", at.Status)
	}
	at.Code = wire.Code(printable(string(answer.Error)))
	at.RequestID = printable(cmp.Or(answer.RequestID, header.Get("X-Request-Id"))) // a proxy may have replaced the header's
	at.Message = printable(answer.Message)
	if at.Message == "" {
		at.Message = "the server refuses"
	}
	if faults := printableFaults(answer.Faults); len(faults) > 0 {
		at.Err, at.Message = faults, faults.Error()
	}
	if at.Code == wire.CodeLoginTime {
		at.Message += clockOff(answer.ServerTime, now)
	}
	if wait := header.Get("Retry-After"); wait != "" && at.Code == wire.CodeBusy {
		at.Message += ", try again after " + printable(wait)
	}
	meaning := refusals[standardCode(at)]
	hint := printable(answer.Hint)
	if hint == "" {
		hint = meaning.hint
	}
	return fault.New(meaning.kind, hint, "%w", &at)
}

// printableFaults are what the server finds wrong with an account.
func printableFaults(list []bus.Fault) bus.Faults {
	var faults bus.Faults
	for _, f := range list {
		faults = append(faults, bus.Fault{Field: printable(f.Field), Message: printable(f.Message), Hint: printable(f.Hint)})
	}
	return faults
}

// standardCode is the answer's code, or the nearest one for a code that is not of package wire.
// A vovserver's codes are in no public page; what refuses a login is one.
func standardCode(at Error) wire.Code {
	if _, ok := refusals[at.Code]; ok {
		return at.Code
	}
	if at.Status < 500 && at.Method == http.MethodPost && strings.HasSuffix(at.URL, wire.PathToken) {
		return wire.CodeLoginRefused
	}
	if code, ok := byStatus[at.Status]; ok {
		return code
	}
	return wire.CodeInternal
}

// clockOff says how far this clock is from the server's; nothing where the server does not say.
func clockOff(server float64, now time.Time) string {
	if !(server > 0 && server < 1e11) {
		return ""
	}
	off := now.Sub(time.UnixMilli(int64(server * 1e3))).Round(time.Second)
	if off < 0 {
		return fmt.Sprintf(": this clock is %s behind the server's", -off)
	}
	return fmt.Sprintf(": this clock is %s ahead of the server's", off)
}

// notRegistry is the fault for an answer that the API would not give.
func notRegistry(at Error, format string, args ...any) error {
	at.Err = fmt.Errorf(format, args...)
	at.Message = "what answers is not a keyward registry: " + printable(at.Err.Error())
	hint := hintOther
	if strings.HasPrefix(at.URL, "http:") {
		hint = hintTLS
	}
	return fault.New(fault.Unreachable, hint, "%w", &at)
}

// noAnswer is the fault for a call that got no answer or half of one.
func noAnswer(ctx context.Context, at Error, err error, now time.Time) error {
	if already, ok := errors.AsType[*fault.Error](err); ok {
		return already
	}
	if ctx.Err() != nil {
		return ended(ctx, at)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without its method and URL, which at has
	}
	if at.Status != 0 {
		return notRegistry(at, "%w", broken(err))
	}
	at.Err = err
	if message, hint, ok := distrust(err, now); ok {
		at.Message = printable(message)
		return fault.New(fault.NotTrusted, hint, "%w", &at)
	}
	if isNotTLS(err) {
		at.Message = "the server answers, but not TLS"
		return fault.New(fault.Unreachable, hintNotTLS, "%w", &at)
	}
	at.Message = printable(reason(err))
	return fault.New(fault.Unreachable, hintDown, "%w", &at)
}

// ended is the fault for a call that its context ended: too late, or stopped by the caller.
func ended(ctx context.Context, at Error) error {
	at.Err = context.Cause(ctx)
	if _, late := errors.AsType[*timeoutError](at.Err); late {
		at.Message = at.Err.Error()
		return fault.New(fault.Unreachable, hintDown, "%w", &at)
	}
	if ctx.Err() == context.DeadlineExceeded {
		at.Message = "no whole answer in time"
		return fault.New(fault.Unreachable, hintDown, "%w", &at)
	}
	at.Message = "stopped"
	return fault.New(fault.Failed, "", "%w", &at)
}

const (
	hintDown   = "check that the registry runs and that --url names its host and port"
	hintTLS    = "is it TLS there? then --url begins with https://; if not, check its host and port"
	hintNotTLS = "is it plain http? then --url begins with http:// (and takes --allow-http for another machine)"
)

// broken names an answer that began well.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("its answer breaks off: %w", err)
	}
	return err
}

// reason says why there is no connection, without the layers of package net around it.
func reason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "no such host: " + dns.Name
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return "cannot connect: " + errno.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the server closes the connection without an answer"
	}
	return "no usable answer: " + err.Error()
}

// printable drops what could steer a terminal from a text of the server's, and bounds it.
func printable(s string) string {
	const most = 500
	s = strings.ToValidUTF8(s[:min(len(s), most)], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}
