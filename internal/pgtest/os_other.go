//go:build !unix

package pgtest

import "os/exec"

func apart(*exec.Cmd) {}

func becomePostgres(*exec.Cmd, string) error { return ErrMissing }
