package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// linked are the packages whose cost is measured: what the binary links, or might.
var linked = []struct{ name, tags, path string }{
	{"net/http", tag, "net/http"},
	{"crypto/x509", tag, "crypto/x509"},
	{"urfave/cli/v2", tag, "github.com/urfave/cli/v2"},
	{"urfave/cli/v2 without the tag " + tag, "", "github.com/urfave/cli/v2"},
	{"survey/v2/terminal", tag, "github.com/AlecAivazis/survey/v2/terminal"},
	{"modernc.org/sqlite", tag, "modernc.org/sqlite"},
	{"cfssl/csr", tag, "github.com/cloudflare/cfssl/csr"},
	{"cfssl/helpers", tag, "github.com/cloudflare/cfssl/helpers"},
	{"yaml/v4", tag, "go.yaml.in/yaml/v4"},
	{"go-pkcs12", tag, "software.sslmate.com/src/go-pkcs12"},
	{"gofrs/flock", tag, "github.com/gofrs/flock"},
	{"x/crypto/argon2", tag, "golang.org/x/crypto/argon2"},
	{"x/crypto/nacl/box", tag, "golang.org/x/crypto/nacl/box"},
	{"x/term", tag, "golang.org/x/term"},
	{"pgx/v5/stdlib", tag, "github.com/jackc/pgx/v5/stdlib"},
	{"gobwas/ws", tag, "github.com/gobwas/ws"},
	{"nats.go", tag, "github.com/nats-io/nats.go"},
	{"encoding/gob, which nats.go imports", tag, "encoding/gob"},
	{"tinylib/msgp", tag, "github.com/tinylib/msgp/msgp"},
	{"all of keyward", tag, module + "/cmd"},
}

// module is this module's path.
const module = "keyward"

// packages prints what linking a package costs a program that does not use it.
func (b *bench) packages(ctx context.Context, w io.Writer) error {
	fmt.Fprintf(w, "\n| linked | start over without | CPU ratio | size |\n|---|---|---|---|\n")
	list := linked
	if b.short {
		list = list[:2]
	}
	for i, p := range list {
		program, err := b.buildLinking(ctx, fmt.Sprint("linking", i), p.tags, p.path)
		if err != nil {
			return err
		}
		info, err := os.Stat(program)
		if err != nil {
			return err
		}
		wall, cpu, err := b.compare(ctx, b.times(100), always(program), always(b.hello))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "| %s | %s | %s | %.1f MB |\n", p.name, wall.ratio(), cpu.ratio(), float64(info.Size())/1e6)
	}
	return nil
}

// topInits is how many packages the table of inits names.
const topInits = 10

// inits prints the packages of keyward whose initialization takes longest.
func (b *bench) inits(ctx context.Context, w io.Writer) error {
	samples := map[string][]float64{}
	var sums []float64
	for range b.times(40) {
		c := exec.CommandContext(ctx, b.keyward, "--version")
		c.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var trace strings.Builder
		c.Stderr = &trace
		if err := c.Run(); err != nil {
			return err
		}
		sum := 0.0
		for name, t := range parseInits(strings.NewReader(trace.String())) {
			samples[name] = append(samples[name], t)
			sum += t
		}
		sums = append(sums, sum)
	}
	type entry struct {
		name string
		time float64
	}
	var all []entry
	for name, s := range samples {
		all = append(all, entry{name, quartilesOf(s).median})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(cmp.Compare(b.time, a.time), strings.Compare(a.name, b.name)) })
	fmt.Fprintf(w, "\n| package | its init, ms |\n|---|---|\n")
	for _, e := range all[:min(topInits, len(all))] {
		fmt.Fprintf(w, "| %s | %.3f |\n", e.name, e.time)
	}
	fmt.Fprintf(w, "| all %d | %.2f |\n", len(all), quartilesOf(sums).median)
	return nil
}

// parseInits reads what GODEBUG=inittrace=1 prints (package runtime): milliseconds by package.
func parseInits(r io.Reader) map[string]float64 {
	line := regexp.MustCompile(`^init (\S+) @\S+ ms, (\S+) ms clock,`)
	times := map[string]float64{}
	for s := bufio.NewScanner(r); s.Scan(); {
		if m := line.FindStringSubmatch(s.Text()); m != nil {
			times[m[1]], _ = strconv.ParseFloat(m[2], 64)
		}
	}
	return times
}
