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

// freeSpace is how many bytes a folder's disk has left for its user.
func freeSpace(dir string) (free uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true //nolint:gosec // sizes
}

// maxOpenFiles is what a program that is started like this one may have open: Go raises its limit to the hard one.
func maxOpenFiles() (most uint64, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return limit.Max, true
}
