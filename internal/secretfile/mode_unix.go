//go:build unix

package secretfile

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"keyward/fault"
)

// nonblock keeps open(2) from waiting for a FIFO's other end.
const nonblock = syscall.O_NONBLOCK

func exposedFile(path string, info fs.FileInfo) error {
	uid := owner(info)
	if foreign(uid) {
		return fault.New(fault.Policy, asOwner(uid, "use a file of your own")+", or take it over: chown "+strconv.Itoa(os.Geteuid())+" "+Quote(path),
			"%s: belongs to another user, %s", path, named(uid))
	}
	refused, mend := fs.FileMode(0o077), "chmod 600 "
	if uid == 0 {
		refused = 0o037
	}
	if uid == 0 && os.Geteuid() != 0 {
		mend = "sudo chmod 640 " // the caller reads it through the group
	}
	if info.Mode()&refused != 0 {
		return fault.New(fault.Policy, mend+Quote(path), "%s: others can read or write it (mode %04o)", path, info.Mode().Perm())
	}
	return nil
}

func exposedFolder(dir string, info fs.FileInfo) error {
	uid := owner(info)
	if foreign(uid) {
		return fault.New(fault.Policy, asOwner(uid, "move the file to a folder of your own"),
			"%s: the folder belongs to another user, %s", dir, named(uid))
	}
	if info.Mode()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fault.New(fault.Policy, "chmod go-w "+Quote(dir), "%s: others can write to the folder (mode %04o)", dir, info.Mode().Perm())
	}
	return nil
}

// asOwner is what to do about what is another user's. Root, who looks at a service's, can be that user.
func asOwner(uid uint32, orElse string) string {
	if os.Geteuid() != 0 {
		return orElse
	}
	who, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil {
		return orElse
	}
	return "run it as that user: runuser -u " + who.Username + " -- keyward ..., or " + orElse
}

// named is a user as people know it.
func named(uid uint32) string {
	id := strconv.Itoa(int(uid))
	who, err := user.LookupId(id)
	if err != nil {
		return "uid " + id
	}
	return who.Username + " (uid " + id + ")"
}

// forbiddenHint tells who may read a file that the caller may not.
func forbiddenHint(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "have its folders be open to the user " + strconv.Itoa(os.Geteuid()) + ", or give the path of a file that it may read"
	}
	gid := info.Sys().(*syscall.Stat_t).Gid //nolint:forcetypeassert // what os.Stat gives on every Unix
	return fmt.Sprintf("it belongs to user %d and group %d and has mode %04o: have user %d read it, for example by a group of its own and mode 0640",
		owner(info), gid, info.Mode().Perm(), os.Geteuid())
}

// Foreign tells whether a file belongs to neither the caller nor root, who can do everything anyway.
func Foreign(info fs.FileInfo) bool { return foreign(owner(info)) }

func foreign(uid uint32) bool { return uid != 0 && int(uid) != os.Geteuid() }

func owner(info fs.FileInfo) uint32 {
	return info.Sys().(*syscall.Stat_t).Uid //nolint:forcetypeassert // what os.Stat gives on every Unix
}
