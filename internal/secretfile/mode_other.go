//go:build !unix

package secretfile

import "io/fs"

const nonblock = 0

// A Windows file's mode does not tell who can read it, so nothing is refused.
func exposedFile(string, fs.FileInfo) error   { return nil }
func exposedFolder(string, fs.FileInfo) error { return nil }
