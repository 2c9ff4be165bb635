package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/nearest"
	"keyward/internal/secretfile"
	"keyward/keyexchange"
	"keyward/keys"
)

// ownPlace is what a user has on this machine.
type ownPlace struct {
	*env
	c    *cli.Context
	soon time.Time // what ends by then is told of

	config  string        // the config folder; "" where there can be none
	keyfile string        // "" where there can be none
	pair    *keys.Pair    // nil where it cannot be used
	known   *knownServers // nil where it cannot be used
	kept    []server
}

func ownChecks() []check[ownPlace] {
	return []check[ownPlace]{
		{"places", lookAtPlaces},
		{"variables", lookAtVariables},
		{"config-folder", lookAtConfigFolder},
		{"known_servers", lookAtKnownServers},
		{"known_keys", lookAtKnownKeys},
		{"servers.json", lookAtKeptServers},
		{"key-file", lookAtKeyFile},
		{"key-mode", lookAtKeyMode},
		{"key-folder", lookAtKeyFolder},
		{"key-pair", lookAtKeyPair},
		{"exchange-keys", lookAtExchangeKeys},
	}
}

// lookAtPlaces tells where things are, and which variable says so.
func lookAtPlaces(_ context.Context, p *ownPlace) finding {
	const noHome = `export HOME="$(getent passwd "$(id -u)" | cut -d: -f6)"`
	config, err := p.configDir()
	if err != nil {
		return isFault(noHome, "%v", err)
	}
	data, err := p.dataDir()
	if err != nil {
		return isFault(noHome, "%v", err)
	}
	p.config = config
	if p.keyfile, err = p.env.keyfile(p.c); err != nil {
		return isFault(noHome, "%v", err)
	}
	if home := p.getenv("KEYWARD_HOME"); home != "" && !filepath.IsAbs(home) {
		full, _ := filepath.Abs(home)
		return isWarning("export KEYWARD_HOME="+secretfile.Quote(full), "KEYWARD_HOME is %s, another folder wherever a command is called", home)
	}
	return isOK("config %s (%s), data %s (%s), key file %s (%s)",
		config, p.placedBy("XDG_CONFIG_HOME"), data, p.placedBy("XDG_DATA_HOME"), p.keyfile, p.keyfileFrom())
}

// placedBy is the variable that place follows.
func (p *ownPlace) placedBy(xdg string) string {
	switch {
	case p.getenv("KEYWARD_HOME") != "":
		return "KEYWARD_HOME"
	case filepath.IsAbs(p.getenv(xdg)):
		return xdg
	}
	return "HOME"
}

func (p *ownPlace) keyfileFrom() string {
	switch {
	case p.call.given["keyfile"]:
		return "--keyfile"
	case p.c.String("keyfile") != "":
		return "KEYWARD_KEYFILE"
	}
	return "HOME"
}

// lookAtVariables finds what is set and does nothing, or hardly what was meant. Values are not told: some are secrets.
func lookAtVariables(_ context.Context, p *ownPlace) finding {
	known := allVariables()
	var unset, told, mends []string
	set := 0
	for _, setting := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(setting, "=")
		if !strings.HasPrefix(name, "KEYWARD_") && name != "NC_URL" && name != "VOV_PASSWORD" {
			continue
		}
		set++
		switch {
		case !slices.Contains(known, name):
			unset, told = append(unset, name), append(told, name+" is no variable of keyward's"+meant(name, known))
		case value == "":
			unset, told = append(unset, name), append(told, name+" is set to nothing, and so does nothing")
		case strings.TrimSpace(value) != value:
			told = append(told, name+" begins or ends with a space or a newline")
			mends = append(mends, "export "+name+`="$(printf %s "$`+name+`" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')"`)
		}
	}
	if url, nc := p.getenv("KEYWARD_URL"), p.getenv("NC_URL"); url != "" && nc != "" && url != nc {
		unset, told = append(unset, "NC_URL"), append(told, "NC_URL is not what KEYWARD_URL is, which goes before it")
	}
	if len(unset) > 0 {
		mends = append([]string{words(append([]string{"unset"}, unset...)...)}, mends...)
	}
	if len(told) > 0 {
		return isWarning(strings.Join(mends, " && "), "%s", strings.Join(told, "; "))
	}
	return isOK("%d of keyward's are set", set)
}

func allVariables() []string {
	return append(knownVariables(Describe()), knownVariables(DescribeBusServer())...)
}

func meant(name string, known []string) string {
	if near := nearest.Word(name, known); near != "" {
		return ", as " + near + " is"
	}
	return ""
}

// knownVariables are those that some command takes, and those that renew-cert's --exec is given.
func knownVariables(doc CommandDoc) []string {
	all := []string{"KEYWARD_HOME", "KEYWARD_TOKEN", "VOV_PASSWORD", "KEYWARD_CERT_BASENAME", "KEYWARD_CERT_FILE", "KEYWARD_KEY_FILE", "KEYWARD_NOT_AFTER"}
	for _, f := range doc.Flags {
		all = append(all, f.Env...)
	}
	for _, c := range doc.Commands {
		all = append(all, knownVariables(c)...)
	}
	return all
}

func lookAtConfigFolder(_ context.Context, p *ownPlace) finding {
	if p.config == "" {
		return isSkipped("it is not known where it is")
	}
	if _, err := os.Stat(p.config); errors.Is(err, fs.ErrNotExist) {
		return isOK("%s is not there yet", p.config)
	}
	return p.unexposed(secretfile.FolderExposed(p.config), "nobody else can write to "+p.config)
}

// unexposed is a finding by what package secretfile says.
func (e *env) unexposed(err error, good string) finding {
	switch {
	case errors.Is(err, fault.NotFound):
		return isSkipped("%v", err)
	case err != nil:
		return e.failedBy(err)
	}
	return isOK("%s", good)
}

func lookAtKnownServers(_ context.Context, p *ownPlace) finding {
	if p.config == "" {
		return isSkipped("the config folder is not known")
	}
	known, err := p.knownServers()
	if err != nil {
		return p.failedBy(err)
	}
	p.known = known
	for i, line := range known.lines {
		if !knownLine(line) {
			return isWarning(words("sed", "-i", strconv.Itoa(i+1)+"d", known.path), "line %d of %s is none of keyward's, and counts for nothing", i+1, known.path)
		}
	}
	return isOK("%d lines in %s", len(known.lines), known.path)
}

// knownLine tells whether a line of known_servers says something, or is empty or a comment.
func knownLine(line string) bool {
	words := strings.Fields(line)
	return len(words) == 0 || strings.HasPrefix(line, "#") || len(words) == 3 && slices.Contains([]string{"tls", "key", "audit"}, words[1])
}

func lookAtKnownKeys(_ context.Context, p *ownPlace) finding {
	if p.config == "" {
		return isSkipped("the config folder is not known")
	}
	known, err := p.knownKeys()
	if err != nil {
		return p.failedBy(err)
	}
	return isOK("%d lines in %s", len(known.lines), known.path)
}

func lookAtKeptServers(_ context.Context, p *ownPlace) finding {
	if p.config == "" {
		return isSkipped("the config folder is not known")
	}
	kept, err := p.keptServers()
	if err != nil {
		return p.failedBy(err)
	}
	p.kept = kept.sorted()
	return isOK("%d servers in %s", len(p.kept), kept.path)
}

func lookAtKeyFile(_ context.Context, p *ownPlace) finding {
	if p.keyfile == "" {
		return isSkipped("it is not known where it is")
	}
	keygen := []string{"keyward", "keygen"}
	if p.keyfileFrom() != "HOME" {
		keygen = append(keygen, "--keyfile", p.keyfile)
	}
	info, err := os.Stat(p.keyfile)
	dir, name := filepath.Split(p.keyfile)
	switch {
	case durable.Unfinished(dir, name):
		return isWarning(words("keyward", "getkey", "--keyfile", p.keyfile), "a command that changes %s is running, or was killed; the next one ends its work", p.keyfile)
	case errors.Is(err, fs.ErrNotExist) && p.keyfileFrom() == "HOME" && siteAsked(p.c):
		return isSkipped("there is none, and a registry needs none")
	case errors.Is(err, fs.ErrNotExist) && p.keyfileFrom() == "HOME":
		return isWarning(words(keygen...), "there is no user key yet: %s", p.keyfile)
	case errors.Is(err, fs.ErrNotExist):
		return isFault(words(keygen...), "%s is not there, and %s names it", p.keyfile, p.keyfileFrom())
	case err != nil:
		return p.failedBy(err)
	case !info.Mode().IsRegular():
		return isFault(comment("name the user key file with --keyfile"), "%s is not a file", p.keyfile)
	}
	if _, err := os.Stat(p.keyfile + ".next"); err == nil {
		return isWarning(words("keyward", "rotatekey", "--keyfile", p.keyfile), "a rotation of %s was stopped; called again, it goes on", p.keyfile)
	}
	return isOK("%s", p.keyfile)
}

func lookAtKeyMode(_ context.Context, p *ownPlace) finding {
	return p.unexposed(secretfile.Exposed(p.keyfile), "nobody else can use "+p.keyfile)
}

func lookAtKeyFolder(_ context.Context, p *ownPlace) finding {
	return p.unexposed(secretfile.FolderExposed(p.keyfile), "nobody else can write to "+filepath.Dir(p.keyfile))
}

// lookAtKeyPair reads the file as keys.Load does, which would change it where a command was killed.
func lookAtKeyPair(_ context.Context, p *ownPlace) finding {
	pair, err := readPair(p.keyfile)
	switch {
	case errors.Is(err, fault.NotFound):
		return isSkipped("%v", err)
	case err != nil:
		return isFault(words("keyward", "keygen", "--force", "--keyfile", p.keyfile), "%v", err)
	}
	p.pair = &pair
	return isOK("%s", pair.Public.Fingerprint())
}

const maxPairFile = 4 << 10 // bytes

func readPair(path string) (keys.Pair, error) {
	text, _, err := secretfile.Read(path, maxPairFile)
	if err != nil {
		return keys.Pair{}, err
	}
	pair, err := keys.ParseUserkey(text)
	if err != nil {
		return pair, fault.New(fault.InvalidFile, fault.HintOf(err), "%s: %w", path, err)
	}
	return pair, nil
}

// lookAtExchangeKeys looks at who can read or replace them, and at their sum. Of encrypted ones the password is not asked.
func lookAtExchangeKeys(_ context.Context, p *ownPlace) finding {
	path := p.getenv("KEYWARD_EXCHANGE_KEYS")
	if path == "" {
		var err error
		if path, err = p.exchangeKeysPath(p.c); err != nil {
			return isSkipped("it is not known where they are")
		}
	}
	ring, err := keyexchange.Look(path, func() ([]byte, error) { return nil, certs.ErrLocked })
	switch {
	case errors.Is(err, certs.ErrLocked):
		return isOK("%s, encrypted", path)
	case err != nil:
		return p.unexposed(err, "")
	}
	return isOK("%s, verify %s", path, ring.At(p.now()).Verify)
}

// visits are the registries to ask: those that flags or KEYWARD_SERVER name, else all that there are.
func (p *ownPlace) visits() ([]*visit, []finding) {
	servers, err := p.toVisit()
	var all []*visit
	for _, s := range servers {
		all = append(all, p.visit(s))
	}
	var found []finding
	if err != nil {
		found = append(found, p.failedBy(err))
	} else if len(all) == 0 {
		found = append(found, isSkipped("no registry is named, by `keyward servers add`, --url or KEYWARD_URL"))
	}
	for i := range found {
		found[i].Check = serverChecks()[0].name
	}
	return all, found
}

func (p *ownPlace) toVisit() (all []server, err error) {
	if p.call.given["url"] || len(keptNames(p.c)) > 0 {
		return p.servers(p.c)
	}
	for _, s := range p.kept {
		all = append(all, p.overridden(p.c, s))
	}
	if p.c.String("url") == "" {
		return all, nil
	}
	one, err := p.flaggedServer(p.c)
	if slices.ContainsFunc(all, one.isSame) {
		return all, err
	}
	return append(all, one), err
}
