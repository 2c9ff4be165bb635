package plan

import "sync"

// passwords are what the password files hold. Each is read once: it may be a pipe.
type passwords struct {
	read func(file string) ([]byte, error)

	mu    sync.Mutex
	known map[string]secret
}

type secret struct {
	text []byte
	err  error
}

func (p *passwords) of(file string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, known := p.known[file]
	if !known {
		one.text, one.err = p.read(file)
		p.known[file] = one
	}
	return one.text, one.err
}

// unread is a password file that cannot be read.
type unread struct {
	at  place // where the manifest names it first
	err error
}

// readPasswords reads all password files, so that one that is missing is told of before the renewal that needs it.
func (p *Plan) readPasswords() {
	seen := map[string]bool{}
	look := func(file string, at place) {
		if seen[file] {
			return
		}
		seen[file] = true
		if err := p.unreadable(file); err != nil {
			p.unread = append(p.unread, unread{at, err})
		}
	}
	for _, o := range p.m.Issuers {
		look(o.PasswordFile, o.passwordAt)
	}
	for i := range p.m.Entries {
		e := &p.m.Entries[i]
		look(e.PasswordFile, e.placeOf("password-file", 0))
	}
}

// unreadable says why a password file cannot be read; stdin is left for when it is needed.
func (p *Plan) unreadable(file string) error {
	if file == "" || file == "-" {
		return nil
	}
	_, err := p.passwords.of(p.m.path(file))
	return err
}
