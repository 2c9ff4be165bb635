package bus

import "strings"

// The namespaces of the bus.
const (
	messageBoxes = "xbus.msgbox"
	inboxes      = "_INBOX"
)

// MessageBox is the subject on which an account's emitter sends.
func MessageBox(account, emitter Name) Subject {
	if emitter == account {
		return Subject(messageBoxes + "." + account)
	}
	return Subject(messageBoxes + "." + account + "." + emitter)
}

// Sender is who sent what arrived on a subject: an account's emitter. It is not ok for a subject that is nobody's message box,
// such as that of a role which is heard elsewhere.
func Sender(subject string) (account, emitter Name, ok bool) {
	rest, ok := strings.CutPrefix(subject, messageBoxes+".")
	if !ok {
		return "", "", false
	}
	first, second, more := strings.Cut(rest, ".")
	account, emitter = Name(first), Name(second)
	if !more {
		emitter = account
	}
	if !account.valid() || !emitter.valid() || string(MessageBox(account, emitter)) != subject {
		return "", "", false
	}
	return account, emitter, true
}

// InboxOf is the prefix of all subjects on which an account gets replies, without a dot behind it.
func InboxOf(account Name) string { return inboxes + "." + string(account) + ".in" }

// ReplyPrefix is the prefix under which a requester awaits the replies of one account, without a dot behind it: what a
// stock client sets as its inbox prefix to ask that account. Only the requester can listen there, and only the responder reply.
func ReplyPrefix(requester, responder Name) string {
	return InboxOf(requester) + ".from." + string(responder)
}

// ReplyAllowed says whether a reply subject is in the requester's own inbox. A responder asks it before each
// reply, with the requester that Sender finds, since no server checks where a request wants its reply.
func ReplyAllowed(requester Name, reply string) bool {
	subject, err := ParseSubject(reply)
	return err == nil && requester.valid() && Pattern(InboxOf(requester)+"."+anyTail).Matches(subject)
}
