package cmd

import (
	"cmp"
	"errors"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"keyward/bus/natsauth"
	"keyward/fault"
)

func (e *env) busConfigCommand() *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "print the configuration of a NATS server of the bus",
		Description: "Prints what `nats-server -c` needs, complete: mutual TLS, the NATS accounts BUS, AUTH and SYS, and that `bus authorize` is asked about each client. " +
			"The file --bus-keys has the keys of the authorizers. It is made where there is none; every server and every authorizer of a bus needs the same. The configuration has their public halves, and no secret. " +
			"--cert, --key and --client-ca are files on the server's machine, and need not be here. With --cluster several servers are one bus: each gets its own configuration, and its --route names the others, or all. " +
			"NATS 2.12.6 or newer is needed.",
		UsageText: "keyward bus config --cert nats.fullchain.pem --key nats.key.pem --client-ca root.cert.pem >nats.conf\n" +
			"keyward bus config --name n1 --cert /etc/nats/n1.pem --key /etc/nats/n1.key --client-ca /etc/nats/root.pem --cluster bus --route n1.example.org:6222 --route n2.example.org:6222 --route n3.example.org:6222",
		Flags: []cli.Flag{
			busKeysFlag(),
			&cli.StringFlag{Name: "cert", EnvVars: variable("cert"), TakesFile: true, Usage: "the server's certificate, and those above it if any, in PEM `FILE`; for a cluster it has to be for servers and clients (--profile peer)"},
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "its private key in PEM `FILE`, not encrypted", DefaultText: "that in --cert"},
			&cli.StringFlag{Name: "client-ca", EnvVars: variable("client-ca"), TakesFile: true, Usage: "the CAs in this PEM `FILE` sign the clients, the authorizers and the servers of the cluster"},
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: "0.0.0.0:4222", Usage: "the `ADDRESS` and port for clients"},
			&cli.StringFlag{Name: "name", EnvVars: variable("name"), Usage: "the server is called `NAME`", DefaultText: "it makes a name"},
			&cli.StringFlag{Name: "cluster", EnvVars: variable("cluster"), Usage: "it is one of the servers of the cluster `NAME`", DefaultText: "it is alone"},
			&cli.StringFlag{Name: "cluster-listen", EnvVars: variable("cluster-listen"), Value: "0.0.0.0:6222", Usage: "the `ADDRESS` and port for the other servers"},
			&cli.StringSliceFlag{Name: "route", EnvVars: variable("route"), Usage: "another server of the cluster is at `HOST:PORT`; may be repeated, and its own may be there too"},
			e.quietFlag(), e.jsonFlag(),
		},
		Action: e.printBusConfig,
	}
}

func busKeysFlag() cli.Flag {
	return &cli.StringFlag{Name: "bus-keys", EnvVars: variable("bus-keys"), TakesFile: true,
		Usage: "the keys of the authorizers are in `FILE`", DefaultText: "bus/keys in $KEYWARD_HOME, $XDG_DATA_HOME/keyward or $HOME/.local/share/keyward"}
}

// busKeysPath is --bus-keys, else the file in the user's data folder.
func (e *env) busKeysPath(c *cli.Context) (string, error) {
	if path := c.String("bus-keys"); path != "" {
		return path, nil
	}
	dir, err := e.place("XDG_DATA_HOME", filepath.Join(".local", "share"))
	return filepath.Join(dir, "bus", "keys"), err
}

func (e *env) printBusConfig(c *cli.Context) error {
	config := natsauth.ServerConfig{
		Name: c.String("name"), Listen: c.String("listen"),
		Cert: c.String("cert"), Key: cmp.Or(c.String("key"), c.String("cert")), CA: c.String("client-ca"),
		Cluster: c.String("cluster"), ClusterListen: c.String("cluster-listen"), Routes: c.StringSlice("route"),
	}
	if err := e.checkBusConfig(c, &config); err != nil {
		return err
	}
	if _, err := config.Text(); err != nil { // before keys are made
		return err
	}
	keys, err := e.madeBusKeys(c)
	if err != nil {
		return err
	}
	config.Keys = keys.Public()
	text, err := config.Text()
	if err != nil {
		return err
	}
	return e.print(struct {
		Configuration string              `json:"configuration"`
		Keys          natsauth.PublicKeys `json:"keys"`
	}{text, config.Keys}, text)
}

// checkBusConfig refuses what no server could use, and makes the files' paths those from everywhere.
func (e *env) checkBusConfig(c *cli.Context, config *natsauth.ServerConfig) error {
	for _, flag := range []string{"cert", "client-ca"} {
		if c.String(flag) == "" {
			return fault.New(fault.Usage, "give --cert the server's certificate, and --client-ca the CA of the clients, as they are called on the server's machine", "--%s is missing", flag)
		}
	}
	for _, flag := range []string{"listen", "cluster-listen"} {
		if err := checkAddress(c, flag); err != nil {
			return err
		}
	}
	if config.Cluster == "" {
		for _, flag := range []string{"cluster-listen", "route"} {
			if e.call.given[flag] {
				return fault.New(fault.Usage, "name the cluster with --cluster", "--%s is for a cluster", flag)
			}
		}
	}
	for _, path := range []*string{&config.Cert, &config.Key, &config.CA} {
		whole, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = whole
	}
	return nil
}

// madeBusKeys are the keys of the file, which is made where it is not there.
func (e *env) madeBusKeys(c *cli.Context) (*natsauth.Keys, error) {
	path, err := e.busKeysPath(c)
	if err != nil {
		return nil, err
	}
	keys, err := natsauth.LoadKeys(c.Context, path)
	if !errors.Is(err, fault.NotFound) {
		return keys, err
	}
	keys, err = natsauth.CreateKeys(c.Context, path)
	if errors.Is(err, fault.Exists) { // another command did meanwhile
		return natsauth.LoadKeys(c.Context, path)
	}
	if err == nil {
		e.note("made the keys of the authorizers: %s", path)
	}
	return keys, err
}
