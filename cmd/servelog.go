package cmd

import (
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/nearest"
)

// logFlags are those of a service, whose level info has what.
func logFlags(what string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log-format", EnvVars: variable("log-format"), Value: "json", Usage: "`FORMAT` of the log: json or text"},
		&cli.StringFlag{Name: "log-level", EnvVars: variable("log-level"), Value: "info", Usage: "the least `LEVEL` that is logged: debug, info (with it " + what + "), warn or error"},
	}
}

func metricsFlag() cli.Flag {
	return &cli.StringFlag{Name: "metrics-listen", EnvVars: variable("metrics-listen"), Usage: "tell Prometheus metrics at this `ADDRESS` and port, in plain http at /metrics, and at /healthz that it works", DefaultText: "no metrics"}
}

// logger writes to stderr as --log-format and --log-level say. First it tells of variables that do nothing.
func (e *env) logger(c *cli.Context) (*slog.Logger, error) {
	log, err := e.newLogger(c)
	if err == nil {
		warnVariables(log)
	}
	return log, err
}

func (e *env) newLogger(c *cli.Context) (*slog.Logger, error) {
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

// warnVariables tells of variables that do nothing: the door stays open that a mistyped one was to close.
func warnVariables(log *slog.Logger) {
	var known []string
	for _, setting := range slices.Sorted(slices.Values(os.Environ())) {
		name, _, _ := strings.Cut(setting, "=")
		if !strings.HasPrefix(name, "KEYWARD_") {
			continue
		}
		if known == nil {
			known = allVariables()
		}
		if slices.Contains(known, name) {
			continue
		}
		hint := "unset it"
		if near := nearest.Word(name, known); near != "" {
			hint = "write " + near + ", or unset it"
		}
		log.Warn("a variable does nothing: none has this name", "variable", name, "hint", hint)
	}
}
