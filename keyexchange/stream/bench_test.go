package stream

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"keyward/keyexchange"
)

// BenchmarkRun is a stream from memory beside its limit: as many goroutines as cores that verify and decrypt the same messages
// and do nothing else. The messages have 1 KiB.
func BenchmarkRun(b *testing.B) {
	keys := keyexchange.GenerateSealKeys()
	messages := make([][]byte, 4096)
	for i := range messages {
		messages[i] = kibibyte(b, keys)
	}
	var bare, whole time.Duration
	for b.Loop() {
		start := time.Now()
		openBare(messages, &keys.OpenKeys)
		middle := time.Now()
		s := Stream{Receive: from(messages...), Out: io.Discard, Keys: fixed{keys.OpenKeys}}
		lines, err := s.Run(b.Context())
		whole += time.Since(middle)
		bare += middle.Sub(start)
		if err != nil || int(lines) != len(messages) {
			b.Fatal(lines, err)
		}
	}
	perSecond := func(d time.Duration) float64 { return float64(len(messages)*b.N) / d.Seconds() }
	b.ReportMetric(perSecond(bare), "bare/s")
	b.ReportMetric(perSecond(whole), "whole/s")
	b.ReportMetric(bare.Seconds()/whole.Seconds(), "whole/bare")
}

func openBare(messages [][]byte, keys *keyexchange.OpenKeys) {
	var working sync.WaitGroup
	defer working.Wait()
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		working.Go(func() {
			var plain []byte
			for _, m := range messages[i*len(messages)/n : (i+1)*len(messages)/n] {
				if !ed25519.Verify(keys.Verify[:], m[64:], m[:64]) {
					panic("not signed")
				}
				plain, _ = secretbox.Open(plain[:0], m[88:], (*[24]byte)(m[64:]), (*[32]byte)(&keys.Box))
			}
		})
	}
}

// BenchmarkBare is a stream of messages that are not sealed.
func BenchmarkBare(b *testing.B) {
	keys := keyexchange.GenerateSealKeys()
	message, err := keyexchange.Open(nil, kibibyte(b, keys), &keys.OpenKeys, 0)
	check(b, err)
	messages := make([][]byte, 100_000)
	for i := range messages {
		messages[i] = message
	}
	var took time.Duration
	for b.Loop() {
		start := time.Now()
		s := Stream{Receive: from(messages...), Out: io.Discard}
		_, err := s.Run(b.Context())
		check(b, err)
		took += time.Since(start)
	}
	b.ReportMetric(float64(len(messages)*b.N)/took.Seconds(), "messages/s")
}

// BenchmarkWindow is what it costs to see whether a message was there before.
func BenchmarkWindow(b *testing.B) {
	var w window
	mark := make([]byte, 64)
	for i := 0; b.Loop(); i++ {
		binary.LittleEndian.PutUint64(mark, uint64(i)*0x9e3779b97f4a7c15)
		if !w.add(mark) {
			b.Fatal(i)
		}
	}
}
