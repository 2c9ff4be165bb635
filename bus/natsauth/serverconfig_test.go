package natsauth_test

import (
	"errors"
	"testing"

	"keyward/bus/natsauth"
	"keyward/fault"
)

// What a server would refuse, or take for something else, is refused before.
func TestServerConfigRefuses(t *testing.T) {
	good := natsauth.ServerConfig{Name: "n1", Listen: "0.0.0.0:4222", Cert: "c", Key: "k", CA: "a", Cluster: "bus", ClusterListen: "[::]:6222", Routes: []string{"n1.example.org:6222"}}
	if _, err := good.Text(); err != nil {
		t.Fatal(err)
	}
	refused := func(c natsauth.ServerConfig, what string) {
		if _, err := c.Text(); !errors.Is(err, fault.Usage) {
			t.Errorf("%q: %v", what, err)
		}
	}
	for _, route := range []string{
		"", "n1", "n1:", ":6222", "n1:0", "n1:65536", "n1:nats", "n1:-1", "192.0.2.1:6222", "[::1]:6222", "user@n1:6222", "n1/x:6222", "n1?x:6222", "n1#x:6222",
		"*.example.org:6222", "n%31:6222", " n1:6222", "n 1:6222", "n1\n:6222", "n1\"x:6222", "tls://n1:6222", "n\u0451:6222",
	} {
		c := good
		c.Routes = append(c.Routes, route)
		refused(c, route)
	}
	for _, listen := range []string{"", "4222", "0.0.0.0:nats", "0.0.0.0:", "::1:4222:", "0.0.0.0:4222\n"} {
		c := good
		c.Listen = listen
		refused(c, listen)
		c = good
		c.ClusterListen = listen
		refused(c, listen)
	}
	for _, name := range []string{"n 1", "n\n1", "n\x00"} {
		c, d := good, good
		c.Name, d.Cluster = name, name
		refused(c, name)
		refused(d, name)
	}
	c := good
	c.Cluster = "0.0.0.0:6222"
	refused(c, c.Cluster)
}
