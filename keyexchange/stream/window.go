package stream

// generation is how many messages a window sees before it forgets as many.
const generation = 1 << 16

// window remembers the signatures of the latest messages: of the last 65,536 at least, and of twice as many at most. They are as
// good as random, so 16 bytes tell them apart. It takes up to 6 MB.
type window struct {
	now, before map[[16]byte]struct{}
}

// add says whether a message that is signed was not there before.
func (w *window) add(signed []byte) bool {
	if w.now == nil {
		w.now = map[[16]byte]struct{}{}
	}
	mark := [16]byte(signed)
	if _, seen := w.before[mark]; seen {
		return false
	}
	size := len(w.now)
	w.now[mark] = struct{}{}
	if len(w.now) == size {
		return false
	}
	if len(w.now) == generation {
		w.now, w.before = w.before, w.now
		clear(w.now)
	}
	return true
}
