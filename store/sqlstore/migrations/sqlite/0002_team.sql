-- What a key's life needs. A time of 0 is none; labels are words with spaces between them.
ALTER TABLE keys ADD COLUMN labels    TEXT    NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN expires   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN last_used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE keys ADD COLUMN last_from TEXT    NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN epoch     INTEGER NOT NULL DEFAULT 0; -- that the tokens of its logins have

CREATE INDEX keys_expires ON keys (expires) WHERE expires > 0;

-- Tokens say which key they are of and what they may. Those from before, minutes old, are forgotten.
DROP TABLE tokens;
CREATE TABLE tokens (
    hash        BLOB    NOT NULL PRIMARY KEY,
    username    TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    fingerprint TEXT    NOT NULL,
    key_epoch   INTEGER NOT NULL,
    scopes      INTEGER NOT NULL,
    expires     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_expires ON tokens (expires);

CREATE TABLE failures (
    subject TEXT    NOT NULL PRIMARY KEY,
    count   INTEGER NOT NULL,
    last    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX failures_last ON failures (last);

-- until is 0 for the current key.
CREATE TABLE server_keys (
    public BLOB    NOT NULL PRIMARY KEY,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A chain: rows are only added.
CREATE TABLE audit (
    seq       INTEGER NOT NULL PRIMARY KEY,
    line      BLOB    NOT NULL,
    signature BLOB    NOT NULL
) STRICT;
