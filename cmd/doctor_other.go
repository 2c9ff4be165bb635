//go:build !unix

package cmd

import "io/fs"

func ownerOf(fs.FileInfo) string { return "" }

func freeSpace(string) (free uint64, known bool) { return 0, false }

func maxOpenFiles() (most uint64, known bool) { return 0, false }
