package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"keyward/fault"
	"keyward/internal/durable"
)

func TestFileThatIsWritten(t *testing.T) {
	dir := t.TempDir()
	mustPut(t, dir, oldSet[:1], false)
	file := durable.File{Name: newSet[0].Name, Mode: newSet[0].Mode, Write: func(w io.Writer) error {
		old, there := os.ReadFile(filepath.Join(dir, newSet[0].Name))
		if string(old) != string(oldSet[0].Data) {
			t.Errorf("while it is written there is %q", old)
		}
		_, err := w.Write(newSet[0].Data)
		return errors.Join(there, err)
	}}
	mustPut(t, dir, []durable.File{file}, true)
	diff(t, dir, want(newSet[:1]))
}

func TestFileThatIsNotWrittenWhole(t *testing.T) {
	why := fault.New(fault.InvalidFile, "get it again", "cut off")
	half := durable.File{Name: "half", Mode: 0o600, Write: func(w io.Writer) error {
		_, err := w.Write([]byte("half"))
		return errors.Join(err, why)
	}}
	dir := t.TempDir()
	mustPut(t, dir, oldSet, false)
	if err := durable.Put(t.Context(), dir, "half", []durable.File{newSet[1], half}, true); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
	diff(t, dir, want(oldSet))
	if err := durable.Put(t.Context(), dir, "half", []durable.File{{Name: "half", Mode: 0o600}}, false); err != nil {
		t.Error("the set is not free: ", err)
	}
}
