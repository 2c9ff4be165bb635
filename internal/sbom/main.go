// The sbom command writes what a release binary is made of, as the binary itself says:
// a software bill of materials in CycloneDX 1.6 JSON (ECMA-424). The same binary gives
// the same bytes.
//
//	go run ./internal/sbom VERSION BINARY DOCUMENT
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"strings"
)

// document is the part of CycloneDX that a Go binary can fill.
type document struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: sbom VERSION BINARY DOCUMENT")
	}
	version, binary, out := args[0], args[1], args[2]
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(describe(info, version, sha256.Sum256(data)), "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}

// describe lists the standard library and every module that is linked in.
func describe(info *debug.BuildInfo, version string, sum [sha256.Size]byte) document {
	app := newComponent("application", info.Main.Path, version)
	app.Name = path.Base(info.Path)
	app.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}

	parts := []component{newComponent("library", "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		parts = append(parts, newComponent("library", m.Path, m.Version))
	}
	return document{
		Format:      "CycloneDX",
		SpecVersion: "1.6",
		Version:     1,
		Metadata:    metadata{app},
		Components:  parts,
	}
}

// newComponent names a module by its package URL (ECMA-427), which is its reference too.
func newComponent(kind, module, version string) component {
	purl := "pkg:golang/" + module + "@" + url.QueryEscape(version)
	return component{Type: kind, Ref: purl, Name: module, Version: version, PURL: purl}
}
