//go:build !unix

package sqlstore

const noFollow = 0
