package registry

import (
	"context"
	_ "embed"
	"net/http"
	"time"

	"keyward/registry/wire"
)

// pingTime is how long the store may take to show that it is ready.
const pingTime = 2 * time.Second

// document is the OpenAPI description of the table of routes; a test compares the two.
//
//go:embed openapi.json
var document []byte

func (s *Server) project(c *call) error {
	return c.answer(http.StatusOK, cell("project", s.cfg.Project))
}
func (s *Server) version(c *call) error {
	return c.answer(http.StatusOK, cell("version", s.cfg.Version))
}

// cell is a query's answer of one value. The shape is Altair's, the query's text ours.
func cell(field, value string) wire.Table {
	return wire.Table{
		StartRow: 1,
		EndRow:   1,
		Query:    "select " + field + " from project",
		Columns:  []wire.Column{{Col: 0, Field: field}},
		Rows:     [][]any{{value}},
	}
}

func (s *Server) openAPI(c *call) error {
	c.write(http.StatusOK, document)
	return nil
}

type health struct {
	Status string `json:"status"`
}

func (s *Server) health(c *call) error { return c.answer(http.StatusOK, health{"ok"}) }

func (s *Server) ready(c *call) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), pingTime)
	defer cancel()
	if err := s.cfg.Store.Ping(ctx); err != nil {
		c.cause = err
		return refuse(http.StatusServiceUnavailable, wire.CodeBusy, "the store does not answer", "")
	}
	return c.answer(http.StatusOK, health{"ready"})
}
