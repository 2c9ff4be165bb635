//go:build !windows

package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"keyward/fault"
)

// drifted says what about a private file's owner, group or mode is not as e has it; "" for nothing, and
// for a file that is missing. Without a mode of e's it may be stricter than 0600.
func drifted(file string, e *Entry) (string, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fault.New(fault.Failed, "", "look at a file: %w", err)
	}
	stat := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // what Stat gives on every Unix
	uid, gid, err := ids(e)
	switch mode := info.Mode().Perm(); {
	case err != nil:
		return "", err
	case e.Mode != 0 && mode != e.Mode, e.Mode == 0 && mode&^0o600 != 0:
		return fmt.Sprintf("the mode of %s is %04o, not %04o", info.Name(), mode, wantedMode(e)), nil
	case uid >= 0 && uint32(uid) != stat.Uid:
		return fmt.Sprintf("the owner of %s is %d, not %s", info.Name(), stat.Uid, e.Owner), nil
	case gid >= 0 && uint32(gid) != stat.Gid:
		return fmt.Sprintf("the group of %s is %d, not %s", info.Name(), stat.Gid, e.Group), nil
	}
	return "", nil
}

func wantedMode(e *Entry) fs.FileMode {
	if e.Mode == 0 {
		return 0o600
	}
	return e.Mode
}

// own gives a private file the owner, group and mode of e. The mode comes last, so that no one reads
// it who may not.
func own(file string, e *Entry) error {
	uid, gid, err := ids(e)
	if err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := os.Lchown(file, uid, gid); err != nil {
			return fault.New(fault.NotPermitted, "run it as root, or leave out owner and group", "give %s to its owner: %w", file, err)
		}
	}
	if err := os.Chmod(file, wantedMode(e)); err != nil {
		return fault.New(fault.NotPermitted, "run it as the file's owner", "set the mode of %s: %w", file, err)
	}
	return nil
}

// ids are the numbers of e's owner and group; -1 for none.
func ids(e *Entry) (uid, gid int, err error) {
	uid, gid = -1, -1
	if e.Owner != "" {
		if uid, err = strconv.Atoi(e.Owner); err != nil {
			u, err := user.Lookup(e.Owner)
			if err != nil {
				return 0, 0, fault.New(fault.NotFound, "name a user of this machine, or a number", "owner: %w", err)
			}
			uid, _ = strconv.Atoi(u.Uid)
		}
	}
	if e.Group != "" {
		if gid, err = strconv.Atoi(e.Group); err != nil {
			g, err := user.LookupGroup(e.Group)
			if err != nil {
				return 0, 0, fault.New(fault.NotFound, "name a group of this machine, or a number", "group: %w", err)
			}
			gid, _ = strconv.Atoi(g.Gid)
		}
	}
	return uid, gid, nil
}
