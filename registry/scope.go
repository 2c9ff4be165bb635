package registry

import (
	"net/http"
	"strings"

	"keyward/registry/wire"
	"keyward/store"
)

// scopes are the words of the scopes, in their order.
var scopes = []struct {
	word string
	bit  store.Scopes
}{
	{wire.ScopeRead, store.ScopeRead},
	{wire.ScopeKeys, store.ScopeKeys},
	{wire.ScopeAdmin, store.ScopeAdmin},
}

// scopeText is how a token's scopes are told.
func scopeText(have store.Scopes) string {
	var words []string
	for _, s := range scopes {
		if have&s.bit != 0 {
			words = append(words, s.word)
		}
	}
	return strings.Join(words, " ")
}

// parseScope reads the scopes that a login asks for; 0 is all that it may give.
func parseScope(text string) (asked store.Scopes, err error) {
words:
	for word := range strings.FieldsSeq(text) {
		for _, s := range scopes {
			if s.word == word {
				asked |= s.bit
				continue words
			}
		}
		return 0, badRequest("the " + wire.FieldScope + " has a word that is no scope")
	}
	return asked, nil
}

// grantable narrows what a login may give to what it asks for.
func grantable(may, asked store.Scopes) (store.Scopes, error) {
	if asked == 0 {
		return may, nil
	}
	if asked&^may != 0 {
		return 0, refuse(http.StatusForbidden, wire.CodeNotPermitted,
			"this login does not give the scope "+scopeText(asked&^may), "it gives "+scopeText(may))
	}
	return asked, nil
}
