-- Accounts of the bus. No row is ever deleted, so the largest revision is the counter. folded is the name in lower case, since names
-- that differ in case alone are refused; content is JSON with roles, patterns and identities; a time of 0 is none.
CREATE TABLE accounts (
    name       TEXT    NOT NULL UNIQUE,
    folded     TEXT    NOT NULL UNIQUE,
    revision   INTEGER NOT NULL UNIQUE,
    state      TEXT    NOT NULL,
    not_before INTEGER NOT NULL,
    content    TEXT    NOT NULL
) STRICT;
