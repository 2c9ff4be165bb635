package natsauth

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// certificatesQuestion is what an authorizer asks the others: for the chains of fingerprints. An answer needs no proof: a
// fingerprint is of its certificate, and that is verified.
type (
	certificatesQuestion struct {
		Fingerprints []string `json:"fingerprints"`
	}
	certificatesAnswer struct {
		Chains [][][]byte `json:"chains"` // in DER
	}
)

// review begins to verify all certificates again, some at a time, so that a revocation need not wait for it. See Service.Review.
func (w *watch) review(trusted string) {
	w.chains.next()
	w.unverified = nil
	w.all(func(l link) { w.unverified = append(w.unverified, l) })
	if trusted == "" {
		return
	}
	w.trusted, w.strangers = trusted, nil
	clear(w.asked)
	w.list() // and with it others are asked for certificates
	w.waiting = time.After(siblingTime)
}

// askCertificates asks the others for the certificates of a server's connections that are not known here.
func (w *watch) askCertificates(server string) {
	unknown := map[string]bool{}
	w.all(func(l link) {
		if _, _, ok := w.chains.get(l.fingerprint); !ok && l.server == server {
			unknown[l.fingerprint], w.asked[l.fingerprint] = true, true
		}
	})
	for page := range slices.Chunk(slices.Collect(maps.Keys(unknown)), askPage) {
		w.ask(w.siblings, certificatesSubject, "certificates", certificatesQuestion{page})
	}
}

// verifySome goes on with a review.
func (w *watch) verifySome() {
	n := min(len(w.unverified), reviewPage)
	for _, l := range w.unverified[:n] {
		w.verifyAgain(l)
	}
	w.unverified = w.unverified[n:]
}

// verifyAgain verifies a connection's certificate, unless that was done since the last review began, or nobody knows it.
func (w *watch) verifyAgain(l link) {
	if der, fresh, ok := w.chains.get(l.fingerprint); ok && !fresh {
		w.verify(l, der)
	}
}

// verify ends a connection whose certificate is not trusted any more.
func (w *watch) verify(l link, der [][]byte) {
	review := w.chains.now()
	chain, err := parse(der)
	if err == nil {
		err = w.Authorizer.Verify(chain, w.Now())
	}
	if err != nil {
		w.kick(l, NotTrusted, err.Error())
		return
	}
	w.chains.put(der, review)
}

// tellCertificates gives another authorizer the chains that it asks for.
func (w *watch) tellCertificates(m *nats.Msg) {
	var q certificatesQuestion
	if err := json.Unmarshal(m.Data, &q); err != nil || len(q.Fingerprints) > askPage {
		w.Log.Warn("a request of another authorizer does not parse")
		return
	}
	var a certificatesAnswer
	for _, which := range q.Fingerprints {
		if der, _, ok := w.chains.get(which); ok {
			a.Chains = append(a.Chains, der)
		}
	}
	if len(a.Chains) == 0 {
		return
	}
	data, err := json.Marshal(a)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		w.Log.Warn("another authorizer gets no certificates", "error", err)
	}
}

// learn takes the chains that another authorizer knows, and verifies those that are needed.
func (w *watch) learn(data []byte) {
	var a certificatesAnswer
	if err := json.Unmarshal(data, &a); err != nil {
		w.Log.Warn("an answer of another authorizer does not parse")
		return
	}
	learned := map[string][][]byte{}
	for _, der := range a.Chains {
		if len(der) > 0 && len(der) <= maxChain {
			learned[fingerprint(der[0])] = der
		}
	}
	w.all(func(l link) {
		if der, ok := learned[l.fingerprint]; ok {
			w.verify(l, der)
		}
	})
}

// findStrangers finds the connections whose certificates nobody gave who was asked.
func (w *watch) findStrangers() {
	w.all(func(l link) {
		if w.asked[l.fingerprint] && !w.known(l) {
			w.strangers = append(w.strangers, l)
		}
	})
}

// endStrangers ends some of them, slowly: they all come back. The first of a certificate makes it known, which spares the others.
func (w *watch) endStrangers() {
	for n := 0; n < strangersEach && len(w.strangers) > 0; w.strangers = w.strangers[1:] {
		if l := w.strangers[0]; w.of[l.account][l.place] != nil && !w.known(l) {
			w.kick(l, NotKnown, "whom is trusted changed, and no authorizer knows the certificate")
			n++
		}
	}
}

// known says whether the certificate of a connection is: then reviews verify it.
func (w *watch) known(l link) bool {
	_, _, ok := w.chains.get(l.fingerprint)
	return ok
}

// endReview tells of a review that is done.
func (w *watch) endReview() {
	if w.trusted == "" || w.waiting != nil || len(w.unverified) > 0 || len(w.strangers) > 0 {
		return
	}
	if w.Reviewed != nil {
		w.Reviewed(w.trusted)
	}
	w.trusted = ""
	clear(w.asked)
}
