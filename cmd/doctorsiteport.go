package cmd

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strconv"

	"keyward/fault"
	"keyward/restclient"
)

// lookAtPort listens for a moment where nobody else does.
func lookAtPort(ctx context.Context, s *site) finding {
	listen := s.c.String("listen")
	if _, port, err := net.SplitHostPort(listen); err != nil {
		return isFault(comment("give --listen an address and a port, as :9100"), "--listen: %v", err)
	} else if port == "0" {
		return isSkipped("port 0 is any that is free")
	}
	if conn, err := (&net.Dialer{Timeout: s.c.Duration("timeout")}).DialContext(ctx, "tcp", s.address()); err == nil {
		_ = conn.Close()
		return s.served(ctx)
	}
	free, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return isFault(`sudo setcap cap_net_bind_service=+ep "$(command -v keyward)"`, "%v", err)
	case err != nil:
		return isFault(comment("give --listen another address or port"), "%v", err)
	}
	_ = free.Close()
	return isOK("%s is free", listen)
}

// served tells whether it is this registry that serves the port.
func (s *site) served(ctx context.Context) finding {
	if s.leaf == nil {
		return isSkipped("%s is served, and there is no certificate to tell by whom", s.address())
	}
	config, err := restclient.Pinned(restclient.Pin(s.leaf))
	if err != nil {
		return s.failedBy(err)
	}
	client, err := restclient.New("https://"+s.address(), restclient.Options{TLS: config, Timeout: s.c.Duration("timeout"), UserAgent: "keyward/" + s.version})
	if err != nil {
		return s.failedBy(err)
	}
	defer client.Close()
	switch _, err = client.Ready(ctx); {
	case errors.Is(err, fault.NotTrusted):
		return isFault(comment("stop what serves it, or give --listen another port"), "%s is served by another program, or with another certificate", s.address())
	case err != nil:
		return isFault(comment("stop what serves it, or give --listen another port; a registry's log says what is wrong"), "%s is served, and %v", s.address(), err)
	}
	return isOK("%s is served by this registry", s.address())
}

// address is where the registry is asked from this machine.
func (s *site) address() string {
	host, port, err := net.SplitHostPort(s.c.String("listen"))
	if err != nil {
		return s.c.String("listen")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func lookAtOpenFiles(_ context.Context, s *site) finding {
	most, known := maxOpenFiles()
	if !known {
		return isSkipped("this system does not tell")
	}
	need := filesFor(s.c.Int("max-connections"))
	if most < need {
		return isWarning(words("ulimit", "-n", strconv.FormatUint(need, 10))+"  # for systemd LimitNOFILE="+strconv.FormatUint(need, 10),
			"%d files may be open, and --max-connections %d may need %d", most, s.c.Int("max-connections"), need)
	}
	return isOK("%d files may be open, and --max-connections %d may need %d", most, s.c.Int("max-connections"), need)
}
