package cmd

import (
	"flag"
	"testing"

	"github.com/urfave/cli/v2"

	"keyward/fault"
)

func TestSizeOf(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "65536": 65536, "512B": 512, "64KiB": 64 << 10, "64 KiB": 64 << 10, " 1MiB ": 1 << 20, "2GiB": 2 << 30,
		"1kB": 1000, "1KB": 1000, "1MB": 1e6, "3GB": 3e9, "1024GiB": 1 << 40,
		"": 0, "0": 0, "0KiB": 0, "-1": 0, "+1": 0, "1M": 0, "1mib": 0, "1.5MiB": 0, "MiB": 0, "0x10": 0, "1KiBs": 0, "٣": 0,
		"1025GiB": 0, "9223372036854775807": 0, "9223372036854775808": 0, "9007199254740993KiB": 0,
	} {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.String("max", text, "")
		got, err := sizeOf(cli.NewContext(nil, set, nil), "max")
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
		if err != nil && (fault.KindOf(err) != fault.Usage || fault.HintOf(err) == "") {
			t.Errorf("%q: %v has no kind or hint", text, err)
		}
	}
}
