package restclient

import (
	"context"
	"fmt"
	"net/http"

	"keyward/fault"
	"keyward/registry/wire"
)

// Project asks for the name of the server's project.
func (c *Client) Project(ctx context.Context, token Token) (string, error) {
	return c.cell(ctx, token, wire.PathProject)
}

// Version asks for the server's version.
func (c *Client) Version(ctx context.Context, token Token) (string, error) {
	return c.cell(ctx, token, wire.PathVersion)
}

// cell asks for a table of one row and one column.
func (c *Client) cell(ctx context.Context, token Token, path string) (string, error) {
	k := call{method: http.MethodGet, path: path, token: token, need: "rows"}
	var table wire.Table
	if err := c.do(ctx, k, &table); err != nil {
		return "", err
	}
	at := c.at(k)
	if table.ErrorMsg != "" {
		at.Message = printable(table.ErrorMsg)
		return "", fault.New(fault.Failed, "", "%w", &at)
	}
	if len(table.Rows) == 0 || len(table.Rows[0]) == 0 || table.Rows[0][0] == nil {
		return "", notRegistry(at, "its answer has no row")
	}
	return fmt.Sprint(table.Rows[0][0]), nil
}
