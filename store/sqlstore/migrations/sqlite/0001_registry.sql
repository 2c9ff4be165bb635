-- Times are microseconds since 1970 in UTC. BINARY, SQLite's default collation, orders text by its bytes.

-- A token counts while its epoch is its user's. A user gets a fresh random epoch with each password,
-- so forgetting the tokens takes one row, however many there are; Prune clears them away in time.
CREATE TABLE users (
    name     TEXT    NOT NULL PRIMARY KEY,
    admin    INTEGER NOT NULL,
    password TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    epoch    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The primary key is the order of lists: a page of keys is one range of it.
CREATE TABLE keys (
    username    TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    created     INTEGER NOT NULL,
    fingerprint TEXT    NOT NULL,
    public      BLOB    NOT NULL,
    description TEXT    NOT NULL,
    PRIMARY KEY (username, created, fingerprint),
    UNIQUE (username, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    hash     BLOB    NOT NULL PRIMARY KEY,
    username TEXT    NOT NULL,
    epoch    INTEGER NOT NULL,
    from_key INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_expires ON tokens (expires);

CREATE TABLE logins (
    id    BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX logins_until ON logins (until);
