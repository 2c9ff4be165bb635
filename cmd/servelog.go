package cmd

import (
	"log/slog"

	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
)

// logFlags are those of a service, whose level info has what.
func logFlags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log-format", EnvVars: variable("log-format"), Value: "json", Usage: "`FORMAT` of the log: json or text"},
		&cli.StringFlag{Name: "log-level", EnvVars: variable("log-level"), Value: "info", Usage: "the least `LEVEL` that is logged: debug, info (with it " + what + "), warn or error"},
	}
}

// logger writes to stderr as --log-format and --log-level say.
func (e *env) logger(c *cli.Context) (*slog.Logger, error) {
	var options slog.HandlerOptions
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, known := levels[c.String("log-level")]
	if !known {
		return nil, fault.New(fault.Usage, "give --log-level debug, info, warn or error", "%q is no level of a log", c.String("log-level"))
	}
	options.Level = level
	switch format := c.String("log-format"); format {
	case "json":
		return slog.New(slog.NewJSONHandler(e.stderr, &options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(e.stderr, &options)), nil
	default:
		return nil, fault.New(fault.Usage, "give --log-format json or text", "%q is no format of a log", format)
	}
}
