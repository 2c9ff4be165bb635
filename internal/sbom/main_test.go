package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.0",
		Path:      "keyward/cmd/keyward",
		Main:      debug.Module{Path: "keyward", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "net.example/a", Version: "v1.2.3"},
			{Path: "net.example/b", Version: "v2.0.0+incompatible"},
			{Path: "net.example/c", Version: "v1.0.0", Replace: &debug.Module{Path: "net.example/d", Version: "v1.0.1"}},
		},
	}
	library := func(name, version, purl string) component {
		return component{Type: "library", Ref: purl, Name: name, Version: version, PURL: purl}
	}
	want := document{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: metadata{component{
			Type: "application", Ref: "pkg:golang/keyward@0.1.0", Name: "keyward", Version: "0.1.0", PURL: "pkg:golang/keyward@0.1.0",
			Hashes: []hash{{"SHA-256", "0102000000000000000000000000000000000000000000000000000000000000"}},
		}},
		Components: []component{
			library("std", "1.26.0", "pkg:golang/std@1.26.0"),
			library("net.example/a", "v1.2.3", "pkg:golang/net.example/a@v1.2.3"),
			library("net.example/b", "v2.0.0+incompatible", "pkg:golang/net.example/b@v2.0.0%2Bincompatible"),
			library("net.example/d", "v1.0.1", "pkg:golang/net.example/d@v1.0.1"),
		},
	}
	if diff := cmp.Diff(want, describe(info, "0.1.0", [32]byte{1, 2})); diff != "" {
		t.Error(diff)
	}
}

func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "sbom.json")
	if err := run([]string{"0.1.0", self, out}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	// Test binaries name no modules, so the standard library is all that is left.
	if len(got.Components) != 1 || got.Components[0].Name != "std" || got.Metadata.Component.Version != "0.1.0" {
		t.Errorf("got %s", text)
	}
}

func TestRunRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"0.1.0", text, text + ".json"}, {"0.1.0", text + ".missing", text + ".json"}} {
		if err := run(args); err == nil {
			t.Errorf("run(%q) passed", args)
		}
	}
}
