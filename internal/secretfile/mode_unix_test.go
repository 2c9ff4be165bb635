//go:build unix

package secretfile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keyward/fault"
)

func TestReadDoesNotWaitForAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path, 8); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("FIFO: %v", err)
	}
}

func TestReadRefusesSocketsAndDevices(t *testing.T) {
	t.Chdir(t.TempDir()) // a socket's path has to be short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, path := range []string{"socket", "/dev/zero"} {
		if _, _, err := Read(path, 8); !errors.Is(err, fault.InvalidFile) {
			t.Errorf("%s: %v", path, err)
		}
		if err := Exposed(path); !errors.Is(err, fault.InvalidFile) || strings.Contains(fault.HintOf(err), "chmod") {
			t.Errorf("%s: %v (%s)", path, err, fault.HintOf(err))
		}
	}
}

// asked is a file of a made-up owner, which a test that is not root cannot make.
type asked struct {
	uid  int
	mode fs.FileMode
}

func (asked) Name() string        { return "key" }
func (asked) Size() int64         { return 0 }
func (a asked) Mode() fs.FileMode { return a.mode }
func (asked) ModTime() time.Time  { return time.Time{} }
func (a asked) IsDir() bool       { return a.mode.IsDir() }
func (a asked) Sys() any          { return &syscall.Stat_t{Uid: uint32(a.uid)} }

func TestFileRule(t *testing.T) {
	self, other := os.Geteuid(), os.Geteuid()+1
	group := "chmod 600 key"
	if self != 0 {
		group = "sudo chmod 640 key"
	}
	tests := []struct {
		name string
		info asked
		hint string // none: allowed
	}{
		{"own", asked{self, 0o600}, ""},
		{"own, read only", asked{self, 0o400}, ""},
		{"own, others read", asked{self, 0o604}, "chmod"},
		{"own, others write", asked{self, 0o602}, "chmod"},
		{"own, the usual 0644", asked{self, 0o644}, "chmod"},
		{"root's, its group reads", asked{0, 0o640}, ""},
		{"root's, its group writes", asked{0, 0o660}, group},
		{"root's, others read", asked{0, 0o644}, group},
		{"another user's", asked{other, 0o600}, "chown"},
	}
	if self != 0 {
		tests = append(tests, struct {
			name string
			info asked
			hint string
		}{"own, its group reads", asked{self, 0o640}, "chmod 600 key"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { expect(t, exposedFile("key", tt.info), tt.hint) })
	}
}

func TestFolderRule(t *testing.T) {
	self, other := os.Geteuid(), os.Geteuid()+1
	for _, tt := range []struct {
		name string
		info asked
		hint string
	}{
		{"own", asked{self, 0o700}, ""},
		{"own, others look in", asked{self, 0o755}, ""},
		{"root's", asked{0, 0o755}, ""},
		{"own, a group writes", asked{self, 0o775}, "chmod go-w key"},
		{"own, others write", asked{self, 0o757}, "chmod go-w key"},
		{"sticky, like /tmp", asked{0, 0o777 | fs.ModeSticky}, ""},
		{"another user's", asked{other, 0o755}, "of your own"},
		{"another user's, sticky", asked{other, 0o777 | fs.ModeSticky}, "of your own"},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, exposedFolder("key", tt.info), tt.hint) })
	}
}

func expect(t *testing.T, err error, hint string) {
	t.Helper()
	if hint == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if !errors.Is(err, fault.Policy) || !strings.Contains(fault.HintOf(err), hint) {
		t.Errorf("error %v, hint %q; want the policy and %q", err, fault.HintOf(err), hint)
	}
}

func TestHintMendsARealFile(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "key", 0o644, "")
	expect(t, Exposed(path), "chmod 600 "+path)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, Exposed(path), "")

	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	expect(t, FolderExposed(path), "chmod go-w "+dir)
	expect(t, FolderExposed(filepath.Join(dir, "none")), "chmod go-w "+dir)
	expect(t, FolderExposed(dir), "chmod go-w "+dir)
}

func TestFolderOfALinksTargetCounts(t *testing.T) {
	open, closed := t.TempDir(), t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(closed, "key")
	if err := os.Symlink(write(t, open, "real", 0o600, ""), link); err != nil {
		t.Fatal(err)
	}
	expect(t, FolderExposed(link), "chmod go-w")
}

// TestReadTellsOfTheFileItRead has a link that turns between a file of its owner's alone
// and one that all can read.
func TestReadTellsOfTheFileItRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "own", 0o600, "own")
	write(t, dir, "open", 0o644, "open")
	link := filepath.Join(dir, "key")
	if err := os.Symlink("own", link); err != nil {
		t.Fatal(err)
	}
	var turning sync.WaitGroup
	defer turning.Wait()
	done := make(chan struct{})
	defer close(done)
	turning.Go(func() { turn(t, link, done) })
	for range 20000 {
		data, exposed, err := Read(link, 8)
		if err != nil {
			t.Fatal(err)
		}
		if (string(data) == "open") != errors.Is(exposed, fault.Policy) {
			t.Fatalf("read %q: %v", data, exposed)
		}
	}
}

// turn points the link at one file and the other until done.
func turn(t *testing.T, link string, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		err := errors.Join(os.Symlink([]string{"open", "own"}[i%2], link+".new"), os.Rename(link+".new", link))
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// Root, who looks at what a service's user has, is told to be that user.
func TestRootIsSentToTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it is for root")
	}
	daemon, err := user.Lookup("daemon")
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(daemon.Uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{exposedFile("key", asked{uid, 0o600}), exposedFolder("dir", asked{uid, 0o755})} {
		expect(t, err, "runuser -u daemon -- keyward ..., or ")
		if !strings.Contains(err.Error(), "another user, daemon (uid "+daemon.Uid+")") {
			t.Error(err)
		}
	}
}
