package arrows

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTree(t *testing.T) {
	packages, arrows, err := check(os.DirFS("../.."), list)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packages, %d imports that are not the standard library's", packages, arrows)
}

func TestCheck(t *testing.T) {
	const list = `
		top -> low net.example/lib/v2
		low ->
		low -> low/deep
		low/deep ->`
	good := map[string]string{
		"top/top.go":       `package top; import ("fmt"; "keyward/low"; "net.example/lib/v2/part")`,
		"low/low.go":       `package low; import _ "keyward/low/deep"`,
		"low/deep/deep.go": `package deep`,
	}
	tests := []struct {
		name string
		add  map[string]string
		want string // what the error says; empty for none
	}{
		{"as listed", nil, ""},
		{"an arrow up", map[string]string{"low/up.go": `package low; import "keyward/top"`}, "low/up.go: low may not import top"},
		{"an arrow to a package below a listed one", map[string]string{"top/x.go": `package top; import "keyward/low/deep"`}, "top may not import low/deep"},
		{"behind a build tag", map[string]string{"low/w.go": "//go:build windows\n\npackage low; import \"keyward/top\""}, "low may not import top"},
		{"under another name", map[string]string{"low/n.go": `package low; import . "keyward/top"`}, "low may not import top"},
		{"another's module", map[string]string{"low/o.go": `package low; import "net.example/lib/v2"`}, "low may not import net.example/lib/v2"},
		{"a module whose name only begins alike", map[string]string{"top/b.go": `package top; import "net.example/lib/v22"`}, "may not import net.example/lib/v22"},
		{"cgo", map[string]string{"top/c.go": `package top; import "C"`}, "top may not import C"},
		{"the root package", map[string]string{"top/r.go": `package top; import "keyward"`}, "top may not import keyward"},
		{"a package without a row", map[string]string{"new/new.go": `package new`}, "new has no row"},
		{"a row without a package", map[string]string{"low/deep/deep.go": ""}, "row for low/deep, which is not there"},
		{"a file that does not parse", map[string]string{"low/bad.go": `package`}, "low/bad.go"},
		{"a test may import what it likes", map[string]string{"low/low_test.go": `package low; import "keyward/top"`}, ""},
		{"folders the go command skips", map[string]string{"testdata/x.go": `package x`, "_old/x.go": `package x`, ".git/x.go": `package x`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for _, files := range []map[string]string{good, tt.add} {
				for name, text := range files {
					tree[name] = &fstest.MapFile{Data: []byte(text)}
					if text == "" {
						delete(tree, name)
					}
				}
			}
			_, _, err := check(tree, list)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.want != "" && err == nil:
				t.Error("let through")
			case err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %q, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestCheckCounts(t *testing.T) {
	tree := fstest.MapFS{
		"a/a.go": {Data: []byte(`package a; import ("fmt"; "keyward/b")`)},
		"b/b.go": {Data: []byte(`package b`)},
	}
	packages, arrows, err := check(tree, "a -> b\nb ->")
	if packages != 2 || arrows != 1 || err != nil {
		t.Errorf("got %d packages, %d arrows, %v", packages, arrows, err)
	}
}

func TestCheckSeesAnEmptyTree(t *testing.T) {
	if _, _, err := check(fstest.MapFS{"README.md": {}}, ""); err == nil {
		t.Error("a tree without Go files passed")
	}
}

func TestListWithoutArrow(t *testing.T) {
	for _, bad := range []string{"cmd keys", "-> keys"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}
