//go:build race

package msgpack

const race = true
