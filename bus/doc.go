// Package bus says what an account may do on NATS: its permissions, its inboxes, and which certificate opens it.
// It is pure: no socket, no clock, no NATS library. bus/natsauth and bus/natsembed put its answers to work.
//
// The subjects of an account:
//
//	xbus.msgbox.ACCOUNT          the message box of its emitter of its own name; only ACCOUNT publishes here
//	xbus.msgbox.ACCOUNT.EMITTER  those of its other emitters
//	_INBOX.ACCOUNT.in.>          where it listens for replies; nobody else can
//	_INBOX.*.in.from.ACCOUNT.>   its own place in the inboxes of others: where its workers and services reply
//	_INBOX.ACCOUNT.out.>         where it answers whoever runs the NATS server, and asks with a reply subject there
//
// So a subject names who wrote a message, and a server that enforces the permissions proves it.
//
// Replies have places of their own, since a NATS server does not check the reply subject of a message: who asks can
// name any. There are three ways to let a service reply, and two are wrong:
//
//   - allow_responses (resp in a user JWT) lets an account publish to the reply subject of any message that it got,
//     and is stronger than every deny. An account that can send to a subject it hears, by itself or through a second
//     account, names xbus.msgbox.VICTIM as the reply subject and may then send as the victim. nats-server 2.15.2
//     does so. It is never given.
//   - To publish to _INBOX.*.in.> forges no sender, but lets every service fake the replies of all others.
//   - _INBOX.*.in.from.SERVICE.> names in each reply who gave it. An asker that listens below ReplyPrefix(asker, SERVICE)
//     gets replies of that service and nobody else's, whoever plots with whom. This is what workers and services get.
//
// A stock client sets its inbox prefix to ReplyPrefix for the service that it asks. One that cannot, and sets InboxOf,
// is answered only by a service whose role says Stock: that may write to one and two tokens behind .in of anybody, as
// stock clients ask for (_INBOX.ACCOUNT.in.ID and .ID.TOKEN), and is trusted to fake nothing there. Replies in a place
// have three at least, so that it can fake none of those.
//
// What is left is the honest service that is asked to write where it may, but should not: into its place in a third
// account's inbox, or to a message box of its own. No server sees that. So a responder takes the requester from
// the subject (Sender) and refuses a reply subject that is not in the requester's own inbox (ReplyAllowed).
//
// NATS does two things otherwise than one would think. An allowed subscription to a.* lets a client subscribe to a.>
// too, and delivers all of it; so each allowed pattern that ends in * comes with a denied one, a.*.>, which filters what
// is delivered. And who may subscribe to a subject may do so in any queue group, and take messages from the workers
// there; so each allowed pattern comes with the queue groups ACCOUNT.> beside it, and the server refuses all others.
//
// No account gets a subject of JetStream's API: a pull names in its reply subject where JetStream writes, unchecked,
// and could put what a stream holds into a victim's inbox. Whoever runs the server makes a push consumer that delivers
// to a subject of a role and wants no acknowledgements. A stream over subjects of accounts has to have no_ack:
// JetStream would acknowledge to any reply subject, a victim's message box too.
//
// Who sends a message with the header Nats-Trace-Dest has each server tell of its way: the servers, and of who hears it the connection's
// number, the name that the client gave itself, subscription and queue group. It goes nowhere but to a subject that the sender may
// publish to, so nothing can be forged by it.
package bus
