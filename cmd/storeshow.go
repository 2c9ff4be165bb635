package cmd

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/store"
)

// serverKeyInfo is a server key on record in JSON.
type serverKeyInfo struct {
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"`
	Since       string `json:"since"`
	Until       string `json:"until,omitempty"`
}

func (e *env) storeShow(c *cli.Context) error {
	_, where, err := e.storeThere(c)
	if err != nil {
		return err
	}
	glance, err := look(c.Context, where)
	if err != nil {
		return err
	}
	held, err := countAll(c.Context, where)
	if err != nil {
		return err
	}
	info := struct {
		storeInfo
		Schema   int             `json:"schema_version"`
		OnRecord []serverKeyInfo `json:"keys_on_record"`
	}{infoOf(where, held), glance.Version, keysOnRecord(glance.ServerKeys)}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "store\t%s\nkind\t%s, schema version %d\nholds\t%s\n", printable(info.Store), info.Kind, info.Schema, held)
	for _, k := range info.OnRecord {
		ends := ""
		if k.Until != "" {
			ends = ", until " + k.Until
		}
		_, _ = fmt.Fprintf(table, "server key\t%s since %s%s\n", k.Key, k.Since, ends)
	}
	_, _ = fmt.Fprintf(table, "audit head\t%s\n", info.Head)
	_ = table.Flush()
	return e.print(info, b.String())
}

func keysOnRecord(list []store.ServerKey) []serverKeyInfo {
	infos := []serverKeyInfo{}
	for _, k := range list {
		info := serverKeyInfo{Key: k.Public.String(), Fingerprint: k.Public.Fingerprint(), Since: k.Since.Format(time.RFC3339)}
		if !k.Until.IsZero() {
			info.Until = k.Until.Format(time.RFC3339)
		}
		infos = append(infos, info)
	}
	return infos
}
