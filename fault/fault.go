// Package fault is how every package of keyward says what went wrong: an error of
// a kind, with a hint. The kind becomes the exit code, the hint is for people.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is. It is an error itself, so that
// errors.Is(err, fault.Exists) asks for it. Its number is the exit code.
type Kind int

// The kinds, numbered as the exit codes.
const (
	Failed       Kind = 1  // anything without a kind of its own
	Usage        Kind = 2  // a wrong or missing flag or argument
	Exists       Kind = 3  // what should be made is there already
	NotFound     Kind = 4  // what should be there is not
	LoginRefused Kind = 5  // wrong user, password, key or token
	NotPermitted Kind = 6  // the caller is known and may not
	Unreachable  Kind = 7  // no usable answer from the peer
	NotTrusted   Kind = 8  // the peer is not who it should be
	Policy       Kind = 9  // keyward refuses, as its rules say
	Due          Kind = 10 // changes or a renewal are due
	InvalidFile  Kind = 11 // an input file that does not parse
	NothingDue   Kind = 12 // nothing had to be done
)

var kinds = [...]struct{ code, words string }{
	Failed:       {"failed", "failed"},
	Usage:        {"usage", "usage"},
	Exists:       {"exists", "already there"},
	NotFound:     {"not_found", "not found"},
	LoginRefused: {"login_refused", "login refused"},
	NotPermitted: {"not_permitted", "not permitted"},
	Unreachable:  {"unreachable", "unreachable"},
	NotTrusted:   {"not_trusted", "the peer is not trusted"},
	Policy:       {"policy", "refused by policy"},
	Due:          {"due", "changes or renewal due"},
	InvalidFile:  {"invalid_file", "invalid input file"},
	NothingDue:   {"nothing_due", "nothing due"},
}

// Kinds lists every kind, in the order of the exit codes.
func Kinds() []Kind {
	var all []Kind
	for k := Failed; int(k) < len(kinds); k++ {
		all = append(all, k)
	}
	return all
}

// Code is the kind's name in JSON.
func (k Kind) Code() string { return kinds[k].code }

// Error is the kind in words, as the table of exit codes prints it.
func (k Kind) Error() string { return kinds[k].words }

// Error is a failure with its kind, its cause and a hint.
type Error struct {
	Kind Kind
	Err  error  // what failed, on what, and why
	Hint string // what to do about it; may be empty
}

// New makes an Error; format and args make its cause as fmt.Errorf does, %w included.
func New(kind Kind, hint, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...), Hint: hint}
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause and the kind to errors.Is and errors.As.
func (e *Error) Unwrap() []error { return []error{e.Err, e.Kind} }

// KindOf finds the kind of the outermost Error in err's tree; Failed where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Failed
}

// HintOf finds the first hint that is not empty in err's chain.
func HintOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
