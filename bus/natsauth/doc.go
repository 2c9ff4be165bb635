// Package natsauth lets accounts of the bus into NATS servers: a client's certificate names its account, and the account
// says what the client may do there.
//
// An Authorizer decides. A Service has stock servers ask it, by NATS's auth callout: a server that a client connects to
// asks on $SYS.REQ.USER.AUTH, and the answer is a signed user JWT with the account's permissions, or a refusal. Several
// services with the same Keys share the questions in a queue group. Questions and answers are encrypted (xkeys), and a
// question that is not is refused.
//
// What a service lets in has a user name that says why: ACCOUNT:REVISION:FINGERPRINT, with the account's revision by which
// it has its permissions and 128 bits of the SHA-256 of its certificate. So whoever sees the connection later, a service
// that was not asked for one, knows whether it is still right. A Service follows all connections by the system account's
// events and lists, and the accounts by Accounts.AccountChanges. It ends those whose account changed at once, on all servers
// of a cluster. When the CA's files change it verifies all certificates again (Review). The certificate's own end is in the
// user JWT, so the server itself sees to it.
//
// Where the store does not answer connections stay as they are, and new ones are refused. Where no service answers a
// server refuses a client after its authorization timeout.
package natsauth
