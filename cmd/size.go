package cmd

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"keyward/fault"
)

// sizeUnits are in bytes: those of IEC 80000-13 and of the SI.
var sizeUnits = map[string]int64{
	"": 1, "B": 1,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9,
}

// mostBytes is the largest size that a flag takes. One more of each unit has to fit too.
const mostBytes = 1 << 40

// sizeFlag is a size from the command line, which sizeOf reads.
func sizeFlag(name, value, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, EnvVars: variable(name), Value: value, Usage: usage}
}

// sizeOf is the size of a sizeFlag in bytes, from 1 on: as 65536, 64KiB or 1MB.
func sizeOf(c *cli.Context, flag string) (int64, error) {
	text := strings.TrimSpace(c.String(flag))
	end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
	if end < 0 {
		end = len(text)
	}
	number, err := strconv.ParseInt(text[:end], 10, 64)
	unit, known := sizeUnits[strings.TrimSpace(text[end:])]
	switch {
	case err != nil || !known:
		return 0, fault.New(fault.Usage, "write it as 65536, 64KiB or 1MB", "--%s %q is no size", flag, c.String(flag))
	case number < 1:
		return 0, fault.New(fault.Usage, "give it 1 byte or more, as 64KiB", "--%s is nothing", flag)
	case number > mostBytes/unit:
		return 0, fault.New(fault.Usage, "give it less", "--%s %s is more than 1024GiB", flag, c.String(flag))
	}
	return number * unit, nil
}
