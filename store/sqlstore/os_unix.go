//go:build unix

package sqlstore

import (
	"io/fs"
	"os"
	"syscall"
)

// noFollow makes open refuse a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// foreign tells whether a file belongs to neither the caller nor root.
func foreign(info fs.FileInfo) bool {
	uid := info.Sys().(*syscall.Stat_t).Uid //nolint:forcetypeassert // what Stat gives on every Unix
	return uid != 0 && int(uid) != os.Geteuid()
}
