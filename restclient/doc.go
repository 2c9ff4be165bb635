// Package restclient is a client of the keyward registry's REST API v3, and of a
// vovserver's, as far as that is documented.
//
// A [Client] speaks to one registry. It verifies TLS always: with the system's
// roots, with the roots of Options.TLS, or with the pin of one key ([Pinned]).
// [Stranger] gives the certificate that a person is asked to trust on first use.
//
// The server is not believed blindly: redirects are not followed, answers are
// bounded, and what is not the API's JSON is an error that says so. Every error
// has a kind, of package fault, and holds an [*Error] with the call and what the
// server said. No error, and no way to print a [Token], shows a secret.
package restclient
