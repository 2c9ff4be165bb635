package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/gofrs/flock"

	"keyward/fault"
)

// folder is an opened folder.
type folder struct {
	dir    string
	root   *os.Root
	handle *os.File // the folder itself, to be synced
	info   fs.FileInfo
	log    *journal // that of the sets that are being put; nil where there is none
}

// set is a locked set in an opened folder.
type set struct {
	*folder
	index  int // among the caller's
	name   string
	lock   *flock.Flock
	stale  bool            // a killed run may have left the lock's file
	record record          // what is being put
	open   []*os.File      // its staged files, until they are synced
	own    bool            // this run staged the files
	kept   map[string]bool // the old files of this run, whoever owns what it replaces
	keep   bool            // something is left for the next run, so the lock's file stays too
	final  bool            // the replaced file could not be kept: the placing cannot be undone
	err    error           // why it is not put
}

func lockName(set string) string   { return "." + set + ".lock" }
func (s *set) journal() string     { return "." + s.name + ".journal" }
func (s *set) staged(i int) string { return fmt.Sprintf(".%s.%d.staged", s.name, i) }
func (s *set) old(i int) string    { return fmt.Sprintf(".%s.%d.old", s.name, i) }

func (f *folder) path(file string) string  { return filepath.Join(f.dir, file) }
func (f *folder) missing(file string) bool { _, err := f.root.Lstat(file); return isMissing(err) }
func (f *folder) present(file string) bool { _, err := f.root.Lstat(file); return err == nil }

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// openFolder opens the folder.
func openFolder(dir string) (*folder, error) {
	f := &folder{dir: dir}
	var err error
	if f.root, err = os.OpenRoot(dir); err != nil {
		if info, e := os.Stat(dir); e == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
		return nil, f.explain("open folder", "", err)
	}
	if f.handle, err = f.root.Open("."); err != nil {
		f.root.Close()
		return nil, f.explain("open folder", "", err)
	}
	if f.info, err = f.handle.Stat(); err != nil {
		f.close()
		return nil, f.explain("look at folder", "", err)
	}
	return f, nil
}

func (f *folder) close() {
	f.handle.Close()
	f.root.Close()
}

func (s *set) notLocked(ctx context.Context, err error) error {
	lock := lockName(s.name)
	switch {
	case ctx.Err() != nil, errors.Is(err, errBusy):
		return fault.New(fault.Failed, "another command is working on it; try again when it is done", "wait for %s: %w", s.path(lock), err)
	case errors.Is(err, fs.ErrPermission) && s.present(lock):
		return fault.New(fault.NotPermitted, "another user's command is at work or was killed; in that case let that user run it again",
			"lock %s: %w", s.path(lock), bare(err))
	}
	return s.explain("lock", lock, err)
}

// open opens the folder and waits for the set's lock.
func open(ctx context.Context, dir, name string) (*set, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	s, err := f.waitFor(ctx, name)
	if err != nil {
		f.close()
		return nil, err
	}
	return s, nil
}

// close lets go of a set that open gave.
func (s *set) close() {
	s.unlock()
	s.folder.close()
}

// waitFor waits for the set's lock.
func (f *folder) waitFor(ctx context.Context, name string) (*set, error) {
	s := &set{folder: f, name: name, kept: map[string]bool{}}
	if err := s.acquire(ctx); err != nil {
		return nil, s.notLocked(ctx, err)
	}
	return s, nil
}

// tidy locks the set, finishes or discards what a killed run left of it, and lets go. It leaves
// nothing, or says what is against that.
func (f *folder) tidy(ctx context.Context, name string) error {
	s, err := f.waitFor(ctx, name)
	if err != nil {
		return err
	}
	defer s.unlock()
	err = s.settle()
	if err == nil && s.keep {
		err = s.explain("remove what a killed command left in", "", s.discard(0))
	}
	return err
}

// unlock lets go of a lock that is the set's alone.
func (s *set) unlock() {
	if s.keep {
		release(s.lock, nil)
		return
	}
	release(s.lock, []string{s.path(lockName(s.name))})
}

// found looks for a hidden file; nil where there is none. It refuses what another user may
// have put there: obeyed, that could move and replace the caller's files.
func (s *set) found(file string) (fs.FileInfo, error) {
	info, err := s.root.Lstat(file)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("look at", file, err)
	}
	return info, s.check(file, info)
}

// check refuses a hidden file that is not the caller's own. An old file may be a symbolic
// link, as what it was; nothing here follows one.
func (s *set) check(file string, info fs.FileInfo) error {
	switch {
	case s.kept[file]:
		return nil
	case foreign(info, s.info):
		return fault.New(fault.Policy, "move it away, or use a folder of your own",
			"%s is not yours: another user may have put it there to have your files moved", s.path(file))
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink:
		return s.explain("look at", file, errNotRegular)
	}
	return nil
}

// inspect checks the first n staged and old files, and whatever follows them without a gap.
func (s *set) inspect(n int) error {
	for i := 0; i < n || s.present(s.staged(i)) || s.present(s.old(i)); i++ {
		for _, file := range []string{s.staged(i), s.old(i)} {
			if _, err := s.found(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle finishes what a killed run decided, or undoes it where it cannot be finished,
// and discards what was only staged. It touches nothing unless all that it found may be acted on.
func (s *set) settle() error {
	r, err := s.readJournal()
	if err == nil {
		err = s.inspect(len(r.names))
	}
	if err != nil {
		s.keep = s.stale
		return s.explain("read", s.journal(), err)
	}
	if r.decided {
		err = s.forward(r)
	}
	if s.keep {
		return err
	}
	if err := s.discard(len(r.names)); err != nil {
		return s.explain("remove what a killed command left in", "", err)
	}
	return nil
}

// free refuses a target that is there, or, with replace, one that is not to be replaced.
func (s *set) free(target string, replace bool) error {
	info, err := s.root.Lstat(target)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return s.explain("look at", target, err)
	}
	if !replace {
		return s.exists(target)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(s.path(target)); isMissing(err) {
			return nil
		}
	}
	if err != nil || !info.Mode().IsRegular() {
		return fault.New(fault.Exists, "give another name or move it away", "%s is there and is not a regular file", s.path(target))
	}
	return nil
}

// prepare builds a locked set and stages it.
func (s *set) prepare(want Set) error {
	if err := s.clear(); err != nil {
		return err
	}
	files, err := want.Build()
	if err != nil {
		return err
	}
	s.record = record{set: s.name, replace: want.Replace}
	for _, f := range files {
		s.record.names = append(s.record.names, f.Name)
	}
	if err := checkNames(s.name, s.record.names); err != nil {
		return err
	}
	for _, n := range s.record.names {
		if err := s.free(n, want.Replace); err != nil {
			return err
		}
	}
	s.own = true
	for i, f := range files {
		if err := s.stage(s.staged(i), f); err != nil {
			s.abandon(s.record)
			return s.explain("write", f.Name, err)
		}
	}
	return nil
}

// clear finishes or discards what is there though the lock's file was not: somebody took that away. The first
// hidden files are made first and removed last.
func (s *set) clear() error {
	if !s.present(s.journal()) && !s.present(s.staged(0)) && !s.present(s.old(0)) {
		return nil
	}
	return s.settle()
}

// stage writes one file whole, with its final mode from the first moment. It is not synced yet.
func (s *set) stage(name string, f File) error {
	create := func() (*os.File, error) {
		return s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode.Perm())
	}
	w, err := create()
	if errors.Is(err, fs.ErrExist) { // a power cut lost the names before it
		if err = s.remove(name); err == nil {
			w, err = create()
		}
	}
	if err != nil {
		return err
	}
	s.open = append(s.open, w)
	if f.Write != nil {
		return f.Write(w)
	}
	_, err = w.Write(f.Data)
	return err
}

func (s *set) closeStaged() {
	for _, f := range s.open {
		f.Close()
	}
	s.open = nil
}

// drop gives up a set that is not decided.
func (s *set) drop(doing string, why error) {
	s.abandon(s.record)
	s.err = s.explain(doing, "", why)
}

// forward puts in place what a killed run decided. What fails is undone.
func (s *set) forward(r record) error {
	if err := s.placeAll(r); err != nil {
		return err
	}
	if err := syncFolder(s.handle); err != nil {
		return s.undo(r, s.explain("sync folder", "", err))
	}
	if r.alone {
		s.cut(len(r.header()))
	}
	_ = s.discard(len(r.names)) // what cannot be removed tells the next run to try again
	return nil
}

// placeAll puts a decided set in place, without a sync. What fails is undone.
func (s *set) placeAll(r record) error {
	for i, n := range r.names {
		if err := s.place(i, r); err != nil {
			return s.undo(r, s.explain("put in place", n, err))
		}
	}
	return nil
}

// finish cleans up after a set that this run has put in place, and of which it knows what is left.
// What cannot be removed is harmless: the lock's file stays, and tells the next run to try again.
func (s *set) finish() {
	var left []string
	if s.record.journaled() {
		left = append(left, s.journal())
	}
	for i := range s.record.names {
		if old := s.old(i); s.kept[old] {
			left = append(left, old)
		}
		if !s.record.replace {
			left = append(left, s.staged(i))
		}
	}
	for _, file := range slices.Backward(left) { // as discard does
		if err := s.root.Remove(file); err != nil && !isMissing(err) {
			s.keep = true
			return
		}
	}
}

// abandon cleans up after a set that is not in place. The journal is gone for good
// before the staged files are, else a power cut could leave half of them decided.
func (s *set) abandon(r record) {
	s.closeStaged()
	if s.present(s.journal()) {
		if s.remove(s.journal()) != nil {
			return
		}
		_ = syncFolder(s.handle)
	}
	_ = s.discard(len(r.names))
}

// place puts file i in place. It can be done again after a kill.
func (s *set) place(i int, r record) error {
	staged, target := s.staged(i), r.names[i]
	if !s.own {
		if there, err := s.found(staged); there == nil || err != nil {
			return err // where it is missing, the run that was killed has renamed it
		}
	}
	if !r.replace {
		return s.create(staged, target)
	}
	if err := s.keepOld(target, s.old(i), r.journaled()); err != nil {
		return err
	}
	return s.root.Rename(staged, target)
}

// create places a file where none may be.
func (s *set) create(staged, target string) error {
	err := s.root.Link(staged, target)
	switch {
	case errors.Is(err, fs.ErrExist) && s.same(staged, target):
		return nil // linked by the run that was killed
	case errors.Is(err, fs.ErrExist):
		return s.exists(target)
	case err == nil || !noLinks(err):
		return err
	case !s.missing(target):
		return s.exists(target)
	}
	return s.root.Rename(staged, target)
}

// keepOld keeps the file that is about to be replaced. Where it cannot be linked it is
// moved, if a journal brings the next run to the gap; else it is not kept.
func (s *set) keepOld(target, old string, journaled bool) error {
	err := s.root.Link(target, old)
	if s.own && errors.Is(err, fs.ErrExist) { // as in stage
		if err = s.remove(old); err == nil {
			err = s.root.Link(target, old)
		}
	}
	switch {
	case err == nil:
		s.kept[old] = true
		return nil
	case isMissing(err):
		return nil
	case errors.Is(err, fs.ErrExist): // kept by the run that was killed
		_, err = s.found(old)
		return err
	case !noLinks(err):
		return err
	case !journaled:
		s.final = true
		return nil
	}
	if err := s.root.Rename(target, old); !isMissing(err) {
		s.kept[old] = err == nil
		return err
	}
	return nil
}

// undo takes back what was placed, last first, and cleans up. It returns why. Each
// step is the inverse of place, so a kill in the middle is only a set to be placed again.
func (s *set) undo(r record, why error) error {
	if s.final && s.missing(s.staged(0)) {
		s.abandon(r)
		return fault.New(fault.KindOf(why), fault.HintOf(why), "%w: %s is replaced, but may not last a power cut", why, s.path(r.names[0]))
	}
	var err error
	for i := len(r.names) - 1; i >= 0 && err == nil; i-- {
		err = s.unplace(i, r)
	}
	if err == nil {
		err = syncFolder(s.handle)
	}
	if err != nil {
		s.keep = true
		return errors.Join(why, s.explain("put the old files back in", "", err))
	}
	s.abandon(r)
	return why
}

func (s *set) unplace(i int, r record) error {
	staged, old, target := s.staged(i), s.old(i), r.names[i]
	var err error
	switch {
	case s.missing(staged):
		err = s.root.Rename(target, staged)
	case s.same(staged, target):
		err = s.root.Remove(target)
	}
	if err != nil && !isMissing(err) {
		return err
	}
	if there, err := s.found(old); there == nil || err != nil {
		return err
	}
	return s.root.Rename(old, target)
}

// discard removes the first n staged and old files, whatever follows them without a
// gap, and the journal. It starts at the end, so that a kill leaves no gap.
func (s *set) discard(n int) error {
	for s.present(s.staged(n)) || s.present(s.old(n)) {
		n++
	}
	for i := n - 1; i >= 0; i-- {
		if err := errors.Join(s.remove(s.staged(i)), s.remove(s.old(i))); err != nil {
			return err
		}
	}
	return s.remove(s.journal())
}

// remove removes a file that may be missing. Where it cannot, the next run tries again.
func (s *set) remove(file string) error {
	there, err := s.found(file)
	if there != nil && err == nil {
		err = s.root.Remove(file)
	}
	if err != nil {
		s.keep = true
	}
	return err
}

func (f *folder) same(a, b string) bool {
	x, errX := f.root.Lstat(a)
	y, errY := f.root.Lstat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
