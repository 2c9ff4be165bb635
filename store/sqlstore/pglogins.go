package sqlstore

import (
	"context"
	"database/sql"
	"slices"

	"keyward/store"
)

// grant is a key login and the token that it is to be granted.
type grant struct {
	login store.Login
	token store.Token
}

// keysOfAll reads the keys of many users. One without keys gives a row of nulls.
const keysOfAll = `SELECT u.name, ` + keyColumns + ` FROM users AS u
	LEFT JOIN keys AS k ON k.username = u.name
	WHERE u.name = ANY($1) ORDER BY u.name, k.created, k.fingerprint`

// keysOfAll reads the keys of each user, nil where there is no such user.
func (p *postgres) keysOfAll(ctx context.Context, users []string) ([][]store.Key, error) {
	rows, err := p.db.QueryContext(ctx, keysOfAll, users)
	if err != nil {
		return nil, p.explain(err)
	}
	defer rows.Close()
	of := make(map[string][]store.Key, len(users))
	for rows.Next() {
		k, found, err := scanKey(rows)
		if err != nil {
			return nil, err
		}
		if of[k.User] == nil {
			of[k.User] = []store.Key{}
		}
		if found {
			of[k.User] = append(of[k.User], k)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, p.explain(err)
	}
	lists := make([][]store.Key, len(users))
	for i, user := range users {
		lists[i] = slices.Clone(of[user]) // two may ask for the same
	}
	return lists, nil
}

// logInAll does many logins in one statement. A row that two logins of several processes would wait for is either that of
// one login's id, and these are inserted in order, or the key's, and who finds it locked leaves its use to who has the
// lock. So they never wait for each other in a circle.
const logInAll = `
	WITH asked AS MATERIALIZED (
		SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[],
			$5::text[], $6::text[], $7::bytea[], $8::smallint[], $9::bigint[])
		AS a (id, until, at, origin, username, fingerprint, hash, scopes, expires)
	), found AS MATERIALIZED (
		SELECT a.*, u.epoch, k.epoch AS key_epoch FROM asked AS a
		JOIN users AS u ON u.name = a.username
		JOIN keys AS k ON k.username = a.username AND k.fingerprint = a.fingerprint
	), noted AS (
		INSERT INTO logins (id, until) SELECT id, until FROM found ORDER BY id
		ON CONFLICT DO NOTHING RETURNING id
	), granted AS (
		INSERT INTO tokens (hash, username, epoch, fingerprint, key_epoch, scopes, expires)
		SELECT hash, username, epoch, fingerprint, key_epoch, scopes, expires FROM found JOIN noted USING (id)
	), uses AS (
		SELECT DISTINCT ON (username, fingerprint) username, fingerprint, at, origin
		FROM found JOIN noted USING (id) ORDER BY username, fingerprint, at DESC
	), free AS (
		SELECT k.username, k.created, k.fingerprint, uses.at, uses.origin
		FROM keys AS k JOIN uses ON k.username = uses.username AND k.fingerprint = uses.fingerprint
		WHERE k.last_used < uses.at - $10 OR k.last_from <> uses.origin
		FOR NO KEY UPDATE OF k SKIP LOCKED
	), used AS (
		UPDATE keys AS k SET last_used = free.at, last_from = free.origin FROM free
		WHERE k.username = free.username AND k.created = free.created AND k.fingerprint = free.fingerprint
	)
	SELECT a.id, f.id IS NOT NULL, n.id IS NOT NULL OR
		f.id IS NULL AND NOT EXISTS (SELECT 1 FROM logins AS l WHERE l.id = a.id)
	FROM asked AS a LEFT JOIN found AS f ON f.id = a.id LEFT JOIN noted AS n ON n.id = a.id`

// logInAll answers each login as Store.AddLogin does. Of those that are the same login the first goes first.
func (p *postgres) logInAll(ctx context.Context, grants []grant) ([]error, error) {
	answers := make([]error, len(grants))
	at := make(map[[32]byte]int, len(grants))
	var later []grant
	var laterAt []int
	var c columns
	for i, g := range grants {
		if _, twice := at[g.login.ID]; twice {
			later, laterAt = append(later, g), append(laterAt, i)
			continue
		}
		at[g.login.ID] = i
		c.add(g)
	}
	err := p.askLogins(ctx, &c, func(id [32]byte, found, fresh bool) {
		i := at[id]
		answers[i] = answerTo(grants[i], found, fresh)
	})
	if err != nil {
		return nil, p.explain(err)
	}
	if len(later) == 0 {
		return answers, nil
	}
	more, err := p.logInAll(ctx, later)
	for j, i := range laterAt {
		if answers[i] = err; err == nil { // else those before are granted all the same
			answers[i] = more[j]
		}
	}
	return answers, nil
}

// answerTo is what a login is told: found tells whether its user and key are there, fresh that it was not used before.
func answerTo(g grant, found, fresh bool) error {
	switch {
	case !fresh:
		return about("login of", g.token.User, store.ErrExists)
	case !found:
		return noKey(g.token.User, g.token.Key)
	}
	return nil
}

// columns are the logins of a statement.
type columns struct {
	ids, hashes          [][]byte
	untils, ats, expires []int64
	froms, users, keys   []string
	scopes               []int16
}

func (c *columns) add(g grant) {
	c.ids, c.hashes = append(c.ids, g.login.ID[:]), append(c.hashes, g.token.Hash[:])
	c.untils, c.ats = append(c.untils, micros(g.login.Until)), append(c.ats, micros(g.login.At))
	c.expires, c.scopes = append(c.expires, micros(g.token.Expires)), append(c.scopes, int16(g.token.Scopes))
	c.froms, c.users, c.keys = append(c.froms, g.login.From), append(c.users, g.token.User), append(c.keys, g.token.Key)
}

func (p *postgres) askLogins(ctx context.Context, c *columns, answer func(id [32]byte, found, fresh bool)) error {
	rows, err := p.db.QueryContext(ctx, logInAll, c.ids, c.untils, c.ats, c.froms, c.users, c.keys, c.hashes, c.scopes, c.expires,
		useStep.Microseconds())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id sql.RawBytes
		var found, fresh bool
		if err := rows.Scan(&id, &found, &fresh); err != nil {
			return err
		}
		answer([32]byte(id), found, fresh)
	}
	return rows.Err()
}
