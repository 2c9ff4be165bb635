package cmd

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestReadLines has last lines with and without an end, around the size of the reader's buffer.
func TestReadLines(t *testing.T) {
	const limit = 10_000
	for _, size := range []int{0, 1, 4095, 4096, 4097, 8192, limit + 1, limit + 5000} {
		text := strings.Repeat("a", size)
		for _, c := range []struct {
			in   string
			want []string
		}{
			{text + "\n", []string{text}},
			{"first\r\n\n" + text + "\nlast", []string{"first", "", text, "last"}},
			{"first\n" + text, []string{"first", text}},
		} {
			if c.in == "first\n" {
				c.want = []string{"first"} // what is not there is no line
			}
			for i, line := range c.want {
				c.want[i] = line[:min(len(line), limit+1)]
			}
			if got := linesOf(t, c.in, limit); !slices.Equal(got, c.want) {
				t.Errorf("of %d bytes in %.10q it gives %d lines, not %d, or others", size, c.in, len(got), len(c.want))
			}
		}
	}
}

func linesOf(t *testing.T, text string, limit int64) (lines []string) {
	t.Helper()
	out := make(chan inputLine)
	go readLines(strings.NewReader(text), limit, out)
	for line := range out {
		if line.err != nil {
			if len(line.text) > 0 || !errors.Is(line.err, io.EOF) {
				t.Errorf("it ends with %d bytes and %v", len(line.text), line.err)
			}
			return lines
		}
		lines = append(lines, string(line.text))
	}
	return lines
}
