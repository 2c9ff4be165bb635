// Package seal encrypts a stream from one user's key pair to another user's public keys, and
// opens it again. The format, docs/sealed-files.md, is made of NaCl's box and secretbox:
//
//	keyward sealed file v1
//	from alice 32:4Uw3...=
//	to bob 32:hSDw...= 213:bZ0x...=      a line for each of bob's keys: the key, and the file key in a box
//	data
//	chunks of 64 KiB, each a secretbox   the nonce has the chunk's number and whether it is the last
//
// The boxes are sealed with the sender's key, so that a file tells who sealed it. Box keys are
// symmetric: the recipient could have made it too, so that nobody else is convinced by it.
//
// Both ends work in constant memory, about 200 KiB, for a file of any size. The errors of this
// package are of kind fault.InvalidFile for what is damaged, cut off or no sealed file, fault.NotTrusted
// where the seal is not that of the sender it names, and fault.NotPermitted where the file is for
// other keys. Those of the reader or writer below come as they are.
package seal
