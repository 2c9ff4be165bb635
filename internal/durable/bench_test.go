package durable_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// BenchmarkPutAll1000 puts 1,000 sets of three files in one folder, and each in a folder of its own. Beside it,
// bare makes the same files and syncs and renames them in as many batches, with nothing but these calls.
func BenchmarkPutAll1000(b *testing.B) {
	for _, folders := range []int{1, 1000} {
		b.Run(fmt.Sprintf("folders=%d/PutAll", folders), func(b *testing.B) { bench1000(b, folders, putAll) })
		b.Run(fmt.Sprintf("folders=%d/bare", folders), func(b *testing.B) { bench1000(b, folders, bare) })
	}
}

func bench1000(b *testing.B, folders int, put func(ctx context.Context, sets []durable.Set) error) {
	const n = 1000
	text := make([]byte, 900)
	for b.Loop() {
		b.StopTimer()
		var sets []durable.Set
		base := b.TempDir()
		for i := range n {
			dir, name := filepath.Join(base, fmt.Sprint(i%folders)), fmt.Sprint("set", i)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				b.Fatal(err)
			}
			sets = append(sets, durable.Set{Dir: dir, Name: name, Build: func() ([]durable.File, error) {
				return []durable.File{{Name: name + ".key.pem", Data: text, Mode: 0o600},
					{Name: name + ".cert.pem", Data: text, Mode: 0o644}, {Name: name + ".cert.der", Data: text, Mode: 0o644}}, nil
			}})
		}
		b.StartTimer()
		if err := put(b.Context(), sets); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "sets/s")
}

func putAll(ctx context.Context, sets []durable.Set) error {
	return errors.Join(durable.PutAll(ctx, sets, nil)...)
}

// bare makes batches of 85 sets on all cores: the files, a sync of each, of their folders and of a journal,
// the renames, and a sync of the folders again.
func bare(_ context.Context, sets []durable.Set) error {
	for batch := range slices.Chunk(sets, 85) {
		var wg sync.WaitGroup
		var folders []string
		errs := make([]error, len(batch))
		cores := make(chan struct{}, runtime.GOMAXPROCS(0))
		open := make([][]*os.File, len(batch))
		for i, s := range batch {
			cores <- struct{}{}
			wg.Go(func() { open[i], errs[i] = bareStage(s); <-cores })
			if !slices.Contains(folders, s.Dir) {
				folders = append(folders, s.Dir)
			}
		}
		wg.Wait()
		for _, files := range open {
			for _, f := range files {
				wg.Go(func() { _ = f.Sync(); _ = f.Close() })
			}
		}
		bareSync(&wg, folders)
		journal, err := os.Create(filepath.Join(filepath.Dir(folders[0]), "journal"))
		if err == nil {
			_, err = journal.Write(make([]byte, 4096))
			err = errors.Join(err, journal.Sync(), journal.Close())
		}
		for _, files := range open {
			for _, f := range files {
				err = errors.Join(err, os.Rename(f.Name(), strings.TrimSuffix(f.Name(), ".tmp")))
			}
		}
		bareSync(&wg, folders)
		if err := errors.Join(errors.Join(errs...), err); err != nil {
			return err
		}
	}
	return nil
}

func bareStage(s durable.Set) (open []*os.File, err error) {
	files, err := s.Build()
	for _, want := range files {
		f, e := os.OpenFile(filepath.Join(s.Dir, want.Name+".tmp"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, want.Mode)
		if e != nil {
			return open, e
		}
		_, e = f.Write(want.Data)
		open, err = append(open, f), errors.Join(err, e)
	}
	return open, err
}

// bareSync syncs the folders, and waits for all syncs.
func bareSync(wg *sync.WaitGroup, folders []string) {
	for _, dir := range folders {
		wg.Go(func() {
			if f, err := os.Open(dir); err == nil {
				_ = f.Sync()
				_ = f.Close()
			}
		})
	}
	wg.Wait()
}
