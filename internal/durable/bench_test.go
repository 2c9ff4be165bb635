package durable_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"keyward/internal/durable"
)

func BenchmarkPut(b *testing.B) {
	for name, files := range map[string][]durable.File{"one": newSet[:1], "two": newSet[:2], "three": newSet} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				if err := durable.Put(b.Context(), dir, "peer", files, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPutAll1000 puts 1,000 sets of three files. Beside it, bare makes, syncs and links the same
// files with nothing but these calls, in as many goroutines as pay.
func BenchmarkPutAll1000(b *testing.B) {
	const n = 1000
	file := func(dir string, i, j int) string { return filepath.Join(dir, fmt.Sprintf("%d.%d", i, j)) }
	text := make([]byte, 900)
	build := func(i int) ([]durable.File, error) {
		var files []durable.File
		for j := range 3 {
			files = append(files, durable.File{Name: filepath.Base(file("", i, j)), Data: text, Mode: 0o600})
		}
		return files, nil
	}
	run := func(name string, put func(dir string) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				dir, err := os.MkdirTemp(b.TempDir(), "")
				if err == nil {
					err = put(dir)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "sets/s")
		})
	}
	run("PutAll", func(dir string) error {
		var sets []durable.Set
		for i := range n {
			sets = append(sets, durable.Set{Dir: dir, Name: fmt.Sprint(i), Build: func() ([]durable.File, error) { return build(i) }})
		}
		return errors.Join(durable.PutAll(b.Context(), sets, nil)...)
	})
	run("bare", func(dir string) error {
		folder, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer folder.Close()
		for at := 0; at < n; at += 85 {
			if err := bare(folder, at, min(at+85, n), text, file); err != nil {
				return err
			}
		}
		return nil
	})
	run("Put", func(dir string) error {
		for i := range n {
			files, _ := build(i)
			if err := durable.Put(b.Context(), dir, fmt.Sprint(i), files, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// bare makes a batch of files under other names, syncs them and the folder, and renames them.
func bare(folder *os.File, from, to int, text []byte, file func(string, int, int) string) error {
	const files = 3
	var open []*os.File
	for i := from; i < to; i++ {
		for j := range files {
			f, err := os.OpenFile(file(folder.Name(), i, j)+".tmp", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := f.Write(text); err != nil {
				return err
			}
			open = append(open, f)
		}
	}
	errs := make([]error, len(open))
	var syncs sync.WaitGroup
	for i, f := range open {
		syncs.Go(func() { errs[i] = f.Sync() })
	}
	syncs.Wait()
	errs = append(errs, folder.Sync())
	journal, err := os.Create(filepath.Join(folder.Name(), "journal"))
	if err == nil {
		defer journal.Close()
		_, err = journal.Write(text)
		errs = append(errs, journal.Sync())
	}
	errs = append(errs, err)
	for i := from; i < to; i++ {
		for j := range files {
			errs = append(errs, os.Rename(file(folder.Name(), i, j)+".tmp", file(folder.Name(), i, j)))
		}
	}
	return errors.Join(append(errs, folder.Sync())...)
}
