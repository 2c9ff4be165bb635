package seal

import (
	"errors"
	"strings"
	"testing"

	"keyward/fault"
	"keyward/keys"
)

// Both boxes hold 32 bytes behind a line, so the lines have to differ.
func TestHandoverIsNoSealedFile(t *testing.T) {
	server, user := generate(t), generate(t)
	shared, err := server.SharedKey(user.Public)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(sealed(t, text(10), server, user.Public))
	boxed := strings.Fields(strings.Split(whole, "\n")[2])[3]
	handover := keys.SealHandover(shared, generate(t).Public)
	_, err = NewReader(strings.NewReader(strings.Replace(whole, boxed, handover, 1)), user)
	if !errors.Is(err, fault.NotTrusted) || !strings.Contains(err.Error(), "not the key of this file") {
		t.Error(err)
	}
	if _, err := keys.OpenHandover(user, server.Public, boxed); !errors.Is(err, fault.NotTrusted) {
		t.Errorf("a sealed file's box hands over: %v", err)
	}
}
