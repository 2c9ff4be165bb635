package cmd

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func (e *env) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Category: helpful,
		Usage:       "print the version; with --json the places in use too",
		Description: "Prints the version, and with --json also the toolchain, the platform, and where keyward keeps its files.",
		UsageText:   "keyward version\nkeyward version --json",
		Flags:       []cli.Flag{e.keyfileFlag(), e.jsonFlag()},
		Action:      e.versionAction,
	}
}

func (e *env) versionAction(c *cli.Context) error {
	if !e.json {
		_, err := fmt.Fprintf(e.stdout, "keyward %s\n", e.version)
		return err
	}
	keyfile, err := e.keyfile(c)
	if err != nil {
		return err
	}
	config, err := e.configDir()
	if err != nil {
		return err
	}
	data, err := e.dataDir()
	if err != nil {
		return err
	}
	return e.print(struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
		Keyfile  string `json:"keyfile"`
		Config   string `json:"config"`
		Data     string `json:"data"`
	}{e.version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, keyfile, config, data}, "")
}
