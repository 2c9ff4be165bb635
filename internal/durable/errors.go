package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"keyward/fault"
)

func (f *folder) exists(target string) error {
	return fault.New(fault.Exists, "give another name, or --force to replace it", "%s is already there", f.path(target))
}

// explain says what failed on which file of the folder, or on the folder itself, and
// what to do about it. An error that is a fault already says so by itself.
func (f *folder) explain(doing, file string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil {
		return err
	}
	kind, hint := f.remedy(err)
	return fault.New(kind, hint, "%s %s: %w", doing, f.path(file), bare(err))
}

func (f *folder) remedy(err error) (fault.Kind, string) {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Failed, fmt.Sprintf("free some space on the disk of %s and try again", f.dir)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fault.NotPermitted, fmt.Sprintf("use a folder that you can write to; ls -ld %s shows who can", f.dir)
	case errors.Is(err, syscall.ENOTDIR):
		return fault.NotFound, "name a folder"
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EISDIR), errors.Is(err, errNotRegular):
		return fault.Failed, "move away what stands at that name"
	case isMissing(err):
		return fault.NotFound, fmt.Sprintf("make the folder with mkdir -p %s", f.dir)
	}
	return fault.Failed, ""
}

// bare drops the system call and the hidden name from an error, which say nothing to a reader.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
