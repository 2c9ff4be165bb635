package cmd

import "log/slog"

// spareFiles is how many files a service has open beside its connections, and a few more.
const spareFiles = 128

// filesFor is how many files a service of so many connections may need to have open.
func filesFor(connections int) uint64 { return uint64(max(0, connections)) + spareFiles }

// warnOpenFiles tells at the start that a service may not have as many connections as its flag says. Those above wait then
// until others end.
func warnOpenFiles(log *slog.Logger, flag string, connections int) {
	tellOpenFiles(log, flag, connections, ", or lower --"+flag)
}

// tellOpenFiles is warnOpenFiles with words of what else can be done.
func tellOpenFiles(log *slog.Logger, what string, connections int, orElse string) {
	if most, known := maxOpenFiles(); known && most < filesFor(connections) {
		log.Warn("fewer files may be open than the connections may need", "files", most, what, connections, "need", filesFor(connections),
			"hint", "raise the limit with ulimit -n, for systemd with LimitNOFILE="+orElse)
	}
}
