//go:build !unix

package secretfile

import "io/fs"

const nonblock = 0

// A Windows file's mode does not tell who can read it, so nothing is refused.
func exposedFile(string, fs.FileInfo) error   { return nil }
func exposedFolder(string, fs.FileInfo) error { return nil }

func forbiddenHint(string) string { return "have its access list let you read it" }

// Foreign tells nothing: here the folder's access list says who may do what.
func Foreign(fs.FileInfo) bool { return false }
