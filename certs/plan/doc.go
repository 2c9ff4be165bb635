// Package plan keeps a hierarchy of certificates as a manifest says: it finds what is missing, what
// ends soon and what is no longer as asked for, and makes it.
//
// Parse reads a manifest (YAML) and tells all that is wrong with it at once. Judge holds it against
// the files and says for each certificate what is to be done and why. Apply does it. Nothing here
// knows whether a step was judged a second or a month ago: each is judged again while its files
// are locked, so that two runs at once, or one after a kill, end in the same files.
//
// The rules that certificates are held to are those of package certs: Parse drafts each
// certificate as certs.Issue would make it.
package plan
