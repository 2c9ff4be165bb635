//go:build unix

package cmd

import (
	"io/fs"
	"strconv"
	"syscall"
)

// ownerOf names a file's owner as sudo -u takes it.
func ownerOf(info fs.FileInfo) string {
	return "#" + strconv.FormatUint(uint64(info.Sys().(*syscall.Stat_t).Uid), 10) //nolint:forcetypeassert // what os.Stat gives on every Unix
}

// maxOpenFiles is what a program that is started like this one may have open: Go raises its limit to the hard one.
func maxOpenFiles() (most uint64, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Max), true //nolint:unconvert // signed on some systems
}
