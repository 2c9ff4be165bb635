// Package ledger keeps what a CA issued, renewed and revoked: an append-only file beside the CA, each of
// whose lines has the SHA-256 of the line before and is signed by the CA's key.
//
// The format is written down in docs/ledger.md, with the commands that check it without keyward.
// A line is written and synced before the certificate that it is about is placed. So there is no
// certificate that the ledger does not know; after a kill it may know one that nobody has.
package ledger
