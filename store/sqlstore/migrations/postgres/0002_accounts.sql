-- Accounts of the bus. No row is ever deleted, so the largest revision is the counter. folded is the name in lower case, since names
-- that differ in case alone are refused; content is JSON with roles, patterns and identities; a time of 0 is none.
CREATE TABLE accounts (
    name       text COLLATE "C" PRIMARY KEY,
    folded     text COLLATE "C" NOT NULL UNIQUE,
    revision   bigint NOT NULL UNIQUE,
    state      text   NOT NULL,
    not_before bigint NOT NULL,
    content    text   NOT NULL
);
