// Package durable writes sets of files so that a kill, a full disk or a power cut
// leaves the old set or the new one, never a mix and never half a file.
//
// A set is some files of one folder under one name. Everything else that is ever
// seen in the folder has a hidden name made from the set's:
//
//	.NAME.lock      locked while a command works on the set; made first, removed last
//	.NAME.journal   lists the set's files; once its last line is there, the set is decided
//	.NAME.0.staged  the set's first file, whole, with its final mode
//	.NAME.0.old     the file that the first one replaces, until all are in place
//
// The steps, and why each sync is there:
//
//  1. Lock. Finish or discard what a killed run left.
//  2. Write the staged files and an empty journal. Sync each file, so that its bytes are
//     on the disk before a name points at them, and the folder, so that the hidden names last.
//  3. Write the journal and sync it. Before this the next run discards the set, from here on it finishes it.
//  4. Link or rename each staged file to its place, and sync the folder: the set is in place for good.
//  5. Remove the journal, the staged and old files and the lock. No sync: if they come
//     back after a power cut, the next run finds every file in place and removes them again.
//
// That is a sync a file and three more; those of step 2 run side by side. One file alone
// needs no journal, since one link or rename decides it: two syncs are left.
//
// Many sets go through the steps together, in batches: PutAll syncs the staged files of all of them
// side by side, and the three syncs more are a folder's, not a set's. Their locks are names of one file, and so are the
// journals of a folder, since names are cheap and files are not. A killed run's sets
// stay apart all the same: each is finished or discarded under its own name, and the journal's text is left
// to the others. syncfs(2) would be one call for all files, but waits for what any other program writes to the disk too.
//
// A step that fails is undone, and the error says what failed: after an error the
// old set is there and nothing else. Only where the undoing fails too does the
// journal stay, and the next run finishes the set.
//
// Who may rename files in the folder may change the set: the hidden files are no
// defence against that. In a sticky folder such as /tmp all may make names, and only
// a file's owner may rename it. So a hidden file is obeyed only if it is a regular file
// of the caller's, of root's or, where the folder is not sticky, of the folder's owner;
// with another one nothing is touched, and the error is fault.Policy. On Windows modes mean little, the folder's access list
// decides, and folders are not synced, since NTFS keeps names in its own journal.
package durable

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"keyward/fault"
)

// File is one file of a set. Name is a base name inside the set's folder. Mode has
// permission bits only; the umask may take some away.
type File struct {
	Name  string
	Data  []byte
	Mode  fs.FileMode
	Write func(io.Writer) error // writes what is too large for Data, which is ignored then; nil writes Data
}

// Put makes the files in dir, all or none, as the set called name, and returns when they are on the disk.
//
// Without replace no target may exist: each is placed by link(2), which never
// replaces, so of two racers one wins. A file that appears in the middle undoes
// what was placed. The error is fault.Exists. Where the filesystem has no hard
// links a checked rename under the lock does it; that one sees other Puts, but not a
// stranger's file of the same microsecond. A set that replaces another moves the old
// files away first there, so that for a moment a reader who does not Settle finds none.
//
// With replace a target is renamed over. A symbolic link is itself replaced, what it
// points at stays; anything that is no regular file, and a link to such, is refused.
//
// Other Puts of the same set wait for the lock until ctx ends, or one of them has held it
// for ten seconds, which is fault.Failed. Errors are
// fault.NotFound for a missing folder, fault.NotPermitted for one that cannot be
// written to, fault.Usage for a name that is no base name, fault.Policy for another
// user's hidden file, else fault.Failed.
func Put(ctx context.Context, dir, name string, files []File, replace bool) error {
	return Change(ctx, Set{Dir: dir, Name: name, Replace: replace, Build: func() ([]File, error) { return files, nil }})
}

// Set is what Change puts in place: the files called Name in the folder Dir.
type Set struct {
	Dir, Name string
	Replace   bool
	Build     func() ([]File, error) // makes the files, while the set is locked, from what it holds then
	Record    func() error           // runs when all files are staged, before they are decided; nil does nothing
}

// Change is Put of files that Build makes. Where Build or Record fails its error is returned and
// nothing is changed. A kill after Record may still leave the old set.
func Change(ctx context.Context, want Set) error {
	errs := []error{nil}
	putAll(ctx, []Set{want}, func([]int) error {
		if want.Record == nil {
			return nil
		}
		return want.Record()
	}, errs)
	return errs[0]
}

// Settle finishes or discards what a killed Put of that name left, and waits for one
// that is at work, as Put does. Where nothing was left, or there is no such folder, it costs one
// stat. It is for readers: after it a set is old or new, until the next Put. Another
// user's hidden file is fault.Policy, and stays as it is.
func Settle(ctx context.Context, dir, name string) error {
	if err := checkNames(name, nil); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, lockName(name))); isMissing(err) {
		return nil
	}
	s, err := open(ctx, dir, name)
	if err != nil {
		return err
	}
	defer s.close()
	return s.settle()
}

// checkNames refuses what is not one plain name inside the folder, or is there twice.
func checkNames(set string, names []string) error {
	seen := map[string]bool{}
	for _, n := range append([]string{set}, names...) {
		if n == "." || !filepath.IsLocal(n) || filepath.Base(n) != n {
			return fault.New(fault.Usage, "give a file name without a folder", "%q is not a file name", n)
		}
	}
	for _, n := range names {
		if seen[n] {
			return fault.New(fault.Usage, "give each file its own name", "%q is twice in one set of files", n)
		}
		seen[n] = true
	}
	return nil
}
