package term

import (
	"os"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, all int
		want      string
	}{
		{0, 3, ".............................."},
		{1, 3, "##########...................."},
		{3, 3, "##############################"},
	} {
		if got := bar(c.done, c.all); got != c.want {
			t.Errorf("bar(%d, %d) = %q, want %q", c.done, c.all, got, c.want)
		}
	}
}

func TestNoBarInAFile(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := NewProgress(file, "making", time.Now)
	p.Show(1, 2)
	p.Clear()
	if info, _ := file.Stat(); info.Size() != 0 {
		t.Errorf("%d bytes written to what is no terminal", info.Size())
	}
}
