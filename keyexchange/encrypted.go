package keyexchange

import (
	"bytes"
	"crypto/rand"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"keyward/fault"
	"keyward/keys"
)

// The cost of a password: the second choice of RFC 9106, section 4. It is fixed, so no file can ask for more.
const (
	argonPasses  = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
	saltSize     = 16
)

// encryptedLine is the first line of a file that is encrypted. The second is a key string of
//
//	salt (16 bytes) || nonce (24) || SecretBox of the file's text
//
// whose key is argon2id of the password and the salt, with 3 passes over 64 MiB in 4 lanes.
const encryptedLine = "keyward encrypted exchange keys v1"

func isEncrypted(file []byte) bool { return bytes.HasPrefix(file, []byte(encryptedLine+"\n")) }

func derive(password, salt []byte) *[keySize]byte {
	return (*[keySize]byte)(argon2.IDKey(password, salt, argonPasses, argonMemory, argonThreads, keySize))
}

func encrypt(text, password []byte) []byte {
	var head [saltSize + nonceSize]byte
	rand.Read(head[:]) // never fails
	box := secretbox.Seal(head[:], text, (*[nonceSize]byte)(head[saltSize:]), derive(password, head[:saltSize]))
	return []byte(encryptedLine + "\n" + keys.EncodeString(box) + "\n")
}

// decrypt gives the text of an encrypted file, and the password that it asked for.
func decrypt(file []byte, ask func() ([]byte, error)) (text, password []byte, err error) {
	box, err := keys.DecodeString(strings.TrimSpace(string(file[len(encryptedLine)+1:])), maxRingFile)
	if err != nil || len(box) < saltSize+nonceSize+secretbox.Overhead {
		return nil, nil, fault.New(fault.InvalidFile, ringHint, "the encrypted keys are damaged")
	}
	if ask == nil {
		return nil, nil, fault.New(fault.Usage, "give its password with --exchange-keys-password-file", "the keys are encrypted")
	}
	if password, err = ask(); err != nil {
		return nil, nil, err
	}
	salt, nonce := box[:saltSize], (*[nonceSize]byte)(box[saltSize:])
	text, ok := secretbox.Open(nil, box[saltSize+nonceSize:], nonce, derive(password, salt))
	if !ok {
		return nil, nil, fault.New(fault.LoginRefused, "give the password that it was encrypted with", "wrong password, or the file is damaged")
	}
	return text, password, nil
}
