-- Times are microseconds since 1970 in UTC, a time of 0 is none. The collation C orders text by its bytes.

-- A token counts while its epoch is its user's. A user gets a fresh random epoch with each password,
-- so forgetting the tokens takes one row, however many there are; Prune clears them away in time.
CREATE TABLE users (
    name     text COLLATE "C" PRIMARY KEY,
    admin    boolean NOT NULL,
    password text    NOT NULL,
    created  bigint  NOT NULL,
    epoch    bigint  NOT NULL
);

-- The primary key is the order of lists: a page of keys is one range of it. Labels are words with spaces
-- between them. Logins write to rows, so each page has some room for their next versions.
CREATE TABLE keys (
    username    text COLLATE "C" NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    created     bigint NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    public      bytea  NOT NULL,
    description text   NOT NULL,
    labels      text   NOT NULL,
    expires     bigint NOT NULL,
    last_used   bigint NOT NULL,
    last_from   text   NOT NULL,
    epoch       bigint NOT NULL, -- that the tokens of its logins have
    PRIMARY KEY (username, created, fingerprint),
    UNIQUE (username, fingerprint)
) WITH (fillfactor = 85);

CREATE INDEX keys_expires ON keys (expires) WHERE expires > 0;

CREATE TABLE tokens (
    hash        bytea    PRIMARY KEY,
    username    text COLLATE "C" NOT NULL,
    epoch       bigint   NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    key_epoch   bigint   NOT NULL,
    scopes      smallint NOT NULL,
    expires     bigint   NOT NULL
);

CREATE INDEX tokens_expires ON tokens (expires);

CREATE TABLE logins (
    id    bytea  PRIMARY KEY,
    until bigint NOT NULL
);

CREATE INDEX logins_until ON logins (until);

CREATE TABLE failures (
    subject text COLLATE "C" PRIMARY KEY,
    count   integer NOT NULL,
    last    bigint  NOT NULL
);

CREATE INDEX failures_last ON failures (last);

-- until is 0 for the current key.
CREATE TABLE server_keys (
    public bytea  PRIMARY KEY,
    since  bigint NOT NULL,
    until  bigint NOT NULL
);

-- A chain: rows are only added.
CREATE TABLE audit (
    seq       bigint PRIMARY KEY,
    line      bytea NOT NULL,
    signature bytea NOT NULL
);
