package relay

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyward/internal/identity"
)

const alonePhrase = "the peer websocket disconnected"

func TestMeet(t *testing.T) {
	r := startRelay(t, Config{})
	for _, id := range []string{"one", "", "a/b?c=d&e=%20", "//", strings.Repeat("x", meetupSize)} {
		first := r.open(testPrefix + id)
		first.text(hello("first"))
		r.waitFor(func(s Status) bool { return stateOf(s, id) == StateWaiting })
		second := r.open(testPrefix + id)
		second.send(0x82, hello("second")) // binary is as good
		first.wantText(hello("second"))
		second.wantText(hello("first"))

		first.text("not even JSON")
		first.send(0x82, "\x00\xff")
		first.text("")
		second.want(1, "not even JSON")
		second.want(2, "\x00\xff")
		second.want(1, "")
		second.text(hello("again")) // is a message like any other now
		first.wantText(hello("again"))
	}
}

// TestVerbatim sends messages of all sizes both ways, whole and in fragments.
func TestVerbatim(t *testing.T) {
	r := startRelay(t, Config{})
	first, second := r.pair("v")
	for _, size := range []int{0, 1, 125, 126, 1024, chunkSize - 1, chunkSize, chunkSize + 1, 65535, 65536, 1<<20 - 1, 1 << 20} {
		message := strings.Repeat("0123456789abcde", size/15+1)[:size]
		var wg sync.WaitGroup
		wg.Go(func() { first.send(0x82, message) })
		second.want(2, message)
		wg.Wait()
		wg.Go(func() {
			second.send(0x01, message[:size/3])
			second.send(0x89, "are you there") // may come between
			second.send(0x00, message[size/3:size/2])
			second.send(0x00, "")
			second.send(0x80, message[size/2:])
		})
		first.want(1, message)
		wg.Wait()
		if f, err := second.next(); err != nil || f.op != 10 || string(f.payload) != "are you there" {
			t.Fatalf("the answer to a ping: %v %v", f, err)
		}
	}
}

// TestParts wants a small message in one frame, also one that comes in fragments, and a large one in parts of 16 KiB.
func TestParts(t *testing.T) {
	r := startRelay(t, Config{})
	first, second := r.pair("p")
	for range 100 {
		first.send(0x01, "a")
		for range 50 {
			first.send(0x00, "b")
		}
		first.send(0x80, "c")
		if f, err := second.next(); err != nil || !f.fin || string(f.payload) != "a"+strings.Repeat("b", 50)+"c" {
			t.Fatalf("small fragments came as %v %v", f, err)
		}
	}
	go first.send(0x82, strings.Repeat("x", 3*chunkSize))
	for i := range 3 {
		f, err := second.next()
		if err != nil || len(f.payload) != chunkSize || f.fin != (i == 2) || (f.op == 2) != (i == 0) {
			t.Fatalf("part %d: %v %v", i, f, err)
		}
	}
}

func TestWrongPath(t *testing.T) {
	r := startRelay(t, Config{})
	for _, target := range []string{"/", "/micronets/v1/ws-proxy", "/micronets/v1/ws-proxyx/1", "/x" + testPrefix + "1", "/MICRONETS/v1/ws-proxy/1"} {
		r.open(target).wantClose(1011, "no relay at this path")
	}
	r.open(testPrefix+strings.Repeat("x", meetupSize+1)).wantClose(1011, "a meetup id is at most 1024 bytes")
	r.stop()
	own := startRelay(t, Config{PathPrefix: "/own/"})
	w := own.open("/own/1")
	w.text(hello("1"))
	own.waitFor(func(s Status) bool { return stateOf(s, "1") == StateWaiting })
}

func TestThird(t *testing.T) {
	r := startRelay(t, Config{})
	early := r.open(testPrefix + "x") // before the two, and silent
	first, second := r.pair("x")
	r.open(testPrefix+"x").wantClose(1000, "two peers are here already")
	early.text(hello("early"))
	early.wantClose(1000, "two peers are here already")
	first.text("still here")
	second.wantText("still here")
	second.text("me too")
	first.wantText("me too")
}

func TestHello(t *testing.T) {
	r := startRelay(t, Config{})
	for _, first := range []string{
		"", "x", "{}", "[]", "null", `{"message": {}}`, `{"message": []}`, "\xff",
		`{"message": {"messageId": "0", "messageType": "CONN:HELLO", "requiresResponse": false}}`,
		`{"message": {"messageId": 0, "messageType": "CONN:HELLO"}}`,
		`{"message": {"messageId": 0, "messageType": "CONN:BYE", "requiresResponse": false}}`,
		`{"message": {"messageId": 0, "messageType": "REST:REQUEST", "requiresResponse": false}}`,
	} {
		w := r.open(testPrefix + "x")
		w.text(first)
		w.wantClose(1000, "the first message is no HELLO")
	}
	for _, first := range []string{
		`{"message": {"messageId": 0, "messageType": "CONN:HELLO", "requiresResponse": false}}`,
		" {\"message\": {\"messageId\": 123456789012345678901234567890, \"messageType\": \"CONN:HELLO\", \"requiresResponse\": true, \"new\": {}}, \"too\": 1}\n",
	} {
		one := r.open(testPrefix + "x")
		one.text(first)
		other := r.arrive("x")
		other.wantText(first)
		one.wantText(hello("x"))
		one.closeWith(1000)
		one.wantEcho(1000)
		other.wantClose(1002, alonePhrase)
	}
	large := r.open(testPrefix + "x")
	large.text(`{"message": "` + strings.Repeat("x", helloSize) + `"}`)
	large.wantClose(1009, "a message is at most 16384 bytes")
}

func TestMessageBeforeThePeer(t *testing.T) {
	r := startRelay(t, Config{})
	w := r.arrive("x")
	w.text("too early")
	w.wantClose(1000, "a message came before the peer")
	many := r.arrive("x") // what is still unread does not cost it the close frame
	go func() {
		for range 1000 {
			many.text(strings.Repeat("x", 1000))
		}
	}()
	many.wantClose(1000, "a message came before the peer")
	r.pair("x")
}

// TestLeave has peers leave in all ways. The other is told at once, and two others can meet at once.
func TestLeave(t *testing.T) {
	r := startRelay(t, Config{})
	ways := map[string]func(w *wire){
		"1000":       func(w *wire) { w.closeWith(1000); w.wantEcho(1000) },
		"4999":       func(w *wire) { w.closeWith(4999); w.wantEcho(4999) },
		"1012":       func(w *wire) { w.closeWith(1012); w.wantEcho(1012) },
		"no-code":    func(w *wire) { w.send(0x88, ""); w.wantEchoOf("") },
		"half-code":  func(w *wire) { w.send(0x88, "\x03"); w.wantEcho(1002) },
		"bad-code":   func(w *wire) { w.closeWith(1005); w.wantEcho(1002) },
		"bad-reason": func(w *wire) { w.send(0x88, "\x03\xe8\xff"); w.wantEcho(1002) },
		"TLS's-end":  func(w *wire) { w.Conn.(*tls.Conn).Close() },
		"TCP's-end":  func(w *wire) { w.Conn.(*tls.Conn).NetConn().Close() },
	}
	for name, leave := range ways {
		for _, firstLeaves := range []bool{true, false} {
			first, second := r.pair(name)
			if !firstLeaves {
				first, second = second, first
			}
			leave(first)
			f, err := second.next()
			if err != nil || f.String() != fmt.Sprintf("close 1002 %q", alonePhrase) {
				t.Fatalf("%s: the other got %v %v", name, f, err)
			}
			again, _ := r.pair(name) // though the second has not answered
			again.closeWith(1000)
			r.waitFor(func(s Status) bool { return stateOf(s, name) == "" })
		}
		alone := r.arrive(name)
		r.waitFor(func(s Status) bool { return stateOf(s, name) == StateWaiting })
		leave(alone)
		r.waitFor(func(s Status) bool { return stateOf(s, name) == "" })
	}
}

// TestSameInstant opens both sockets before either HELLO is in, and says both at once. Each then sends at once.
func TestSameInstant(t *testing.T) {
	r := startRelay(t, Config{})
	for i := range 1000 {
		id := fmt.Sprint(i % 7)
		one, other := r.open(testPrefix+id), r.open(testPrefix+id)
		var wg sync.WaitGroup
		for n, w := range []*wire{one, other} {
			wg.Go(func() {
				w.text(hello(fmt.Sprint(n)))
				f, err := w.next() // before this nothing may be sent
				if err != nil || string(f.payload) != hello(fmt.Sprint(1-n)) {
					t.Errorf("round %d: %v %v", i, f, err)
					return
				}
				w.text("after it")
				if f, err := w.next(); err != nil || string(f.payload) != "after it" {
					t.Errorf("round %d: %v %v", i, f, err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		one.closeWith(1000)
		one.wantEcho(1000)
		other.wantClose(1002, alonePhrase)
	}
}

// TestNothingOvertakesTheHello has the first send as soon as the relay has paired it, before it gets a HELLO.
func TestNothingOvertakesTheHello(t *testing.T) {
	r := startRelay(t, Config{})
	for i := range 30 {
		id := fmt.Sprint(i)
		first := r.arrive(id)
		r.waitFor(func(s Status) bool { return stateOf(s, id) == StateWaiting })
		var wg sync.WaitGroup
		wg.Go(func() {
			for stateOf(r.Status(), id) != StatePaired {
				runtime.Gosched()
			}
			first.text("x")
		})
		second := r.arrive(id)
		second.wantText(hello(id))
		second.wantText("x")
		wg.Wait()
	}
}

func TestLargestMessage(t *testing.T) {
	r := startRelay(t, Config{MaxMessage: 100_000})
	for name, send := range map[string]func(w *wire){
		"one-frame": func(w *wire) { w.send(0x82, strings.Repeat("x", 100_001)) },
		"fragments": func(w *wire) { w.send(0x02, strings.Repeat("x", 99_999)); w.send(0x80, "xx") },
	} {
		first, second := r.pair(name)
		go send(first)
		first.wantClose(1009, "a message is at most 100000 bytes")
		second.wantClose(1002, alonePhrase)
	}
	first, second := r.pair("endless")
	first.raw([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5})
	if got := first.closeCode(); got != 1009 { // an answer would be read for more of the frame
		t.Errorf("an endless frame: got %d", got)
	}
	second.wantClose(1002, alonePhrase)
	first, second = r.pair("fits")
	go first.send(0x82, strings.Repeat("x", 100_000))
	second.want(2, strings.Repeat("x", 100_000))
}

func deflated(message string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(w, message)
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func TestDeflate(t *testing.T) {
	r := startRelay(t, Config{})
	const agreed = "permessage-deflate;server_no_context_takeover;client_no_context_takeover"
	for offer, want := range map[string]string{
		"permessage-deflate":                                                agreed,
		"permessage-deflate; client_max_window_bits":                        agreed, // browsers, python3-websockets
		"permessage-deflate; server_max_window_bits=10":                     "",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": agreed,
		"permessage-deflate; unheard_of":                                    "",
		"permessage-deflate; unheard_of, permessage-deflate":                agreed,
		"x-other": "",
	} {
		w := r.open(testPrefix+"x", "Sec-WebSocket-Extensions: "+offer)
		if got := w.answer.Get("Sec-WebSocket-Extensions"); got != want {
			t.Errorf("%s: agreed on %q, want %q", offer, got, want)
		}
	}

	first := r.open(testPrefix+"y", "Sec-WebSocket-Extensions: permessage-deflate")
	first.send(0xc1, deflated(hello("first"))) // the HELLO too
	r.waitFor(func(s Status) bool { return stateOf(s, "y") == StateWaiting })
	second := r.arrive("y")
	second.wantText(hello("first"))
	first.wantText(hello("y"))
	for _, message := range []string{"", "a", strings.Repeat("ab", 1<<19), strings.Repeat("x", chunkSize)} {
		go first.send(0xc1, deflated(message))
		second.wantText(message)
		packed := deflated(message)
		go func() {
			first.send(0x42, packed[:len(packed)/2])
			first.send(0x80, packed[len(packed)/2:])
		}()
		second.want(2, message)
	}
	first.text("plain too")
	second.wantText("plain too")
	second.text("and back") // plain: what the relay sends is never compressed
	if f, err := first.next(); err != nil || f.rsv != 0 || string(f.payload) != "and back" {
		t.Errorf("got %v %v", f, err)
	}
}

// TestSlowToRead sends a message that is small and grows when it is inflated to one who takes a part every six seconds. The
// sender, from whom nothing is read meanwhile, is not blamed.
func TestSlowToRead(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		first := r.open(testPrefix+"x", "Sec-WebSocket-Extensions: permessage-deflate").pump()
		first.text(hello("x"))
		r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting })
		second := r.open(testPrefix + "x").pump()
		second.text(hello("x"))
		second.wantText(hello("x"))
		first.wantText(hello("x"))
		second.pumped.enough.Store(true)
		first.text("the last that the pump takes")
		synctest.Wait()
		second.in = bufio.NewReader(second.Conn)

		message := strings.Repeat("x", 20*chunkSize)
		go first.send(0xc1, deflated(message))
		go first.next() // answers pings, and gets nothing else
		for size := 0; size < len(message); {
			f, err := second.next()
			if err != nil || f.op == 8 {
				t.Fatalf("after %d bytes: %v %v", size, f, err)
			}
			size += len(f.payload)
			time.Sleep(6 * time.Second)
		}
	})
}

func TestPermit(t *testing.T) {
	var mu sync.Mutex
	banned := ""
	permit := func(who Visitor, mate *Visitor) error {
		mu.Lock()
		defer mu.Unlock()
		if who.Meetup == "closed" || who.Certificate.Subject.Organization[0] == "outsider" || who.Certificate.Subject.Organization[0] == banned {
			return errors.New("no")
		}
		if mate != nil && mate.Certificate.Subject.Organization[0] == who.Certificate.Subject.Organization[0] {
			return errors.New("not with their own kind")
		}
		if who.Address.Addr() != netip.MustParseAddr("127.0.0.1") || len(who.Chains) != 1 || len(who.Chains[0]) != 2 {
			return fmt.Errorf("an unexpected visitor: %+v", who)
		}
		return nil
	}
	r := startRelay(t, Config{Permit: permit})
	left, right := root().leaf("left", nil), root().leaf("right", nil)
	r.open(testPrefix+"closed").wantClose(1008, "not permitted")

	first := r.openAs(&left, testPrefix+"x")
	first.text(hello("first"))
	r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting })
	same := r.openAs(&left, testPrefix+"x")
	same.text(hello("same"))
	same.wantClose(1008, "not permitted") // and the first still waits
	second := r.openAs(&right, testPrefix+"x")
	second.text(hello("second"))
	first.wantText(hello("second"))
	second.wantText(hello("first"))
	outsider := root().leaf("outsider", nil)
	r.openAs(&outsider, testPrefix+"x").wantClose(1008, "not permitted") // and not that two are here
	waiting := r.openAs(&left, testPrefix+"y")
	waiting.text(hello("waiting"))
	r.waitFor(func(s Status) bool { return stateOf(s, "y") == StateWaiting })

	r.Review()
	first.text("nothing changed")
	second.wantText("nothing changed")
	mu.Lock()
	banned = "left"
	mu.Unlock()
	r.Review()
	if len(r.Status().Meetups) != 0 { // at once, whether or not they answer
		t.Errorf("still there: %+v", r.Status())
	}
	first.wantClose(1008, "not permitted")
	second.wantClose(1002, alonePhrase)
	waiting.wantClose(1008, "not permitted")
}

// TestPermitChanges has the rules change between the question and the meeting, where Review sees no pair yet.
func TestPermitChanges(t *testing.T) {
	asked := 0
	r := startRelay(t, Config{Permit: func(_ Visitor, mate *Visitor) error {
		if mate == nil {
			return nil
		}
		if asked++; asked == 1 {
			return nil
		}
		return errors.New("no longer")
	}})
	first := r.arrive("x")
	r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting })
	r.arrive("x").wantClose(1008, "not permitted")
	first.wantClose(1002, alonePhrase)
}

func TestStatus(t *testing.T) {
	r := startRelay(t, Config{})
	if diff := cmp.Diff(Status{Meetups: []Meetup{}}, r.Status()); diff != "" {
		t.Error(diff)
	}
	first, second := r.pair("x")
	first.text("12345")
	second.wantText("12345")
	second.send(0x82, "123")
	second.send(0x82, "12")
	first.want(2, "123")
	first.want(2, "12")
	r.waitFor(func(s Status) bool { return s.Meetups[0].Peers[1].Messages == 2 })
	pin := identity.Pin(peerCert().Leaf)
	want := Status{Meetups: []Meetup{{ID: "x", State: StatePaired, Peers: []PeerStatus{
		{Address: first.LocalAddr().String(), Subject: "O=peer", Names: []string{}, Pin: pin, PeerClass: "test", PeerID: "x", Messages: 1, Bytes: 5},
		{Address: second.LocalAddr().String(), Subject: "O=peer", Names: []string{}, Pin: pin, PeerClass: "test", PeerID: "x", Messages: 2, Bytes: 5},
	}}}}
	got := r.Status()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(got.Meetups[0].Since)); diff != "" {
		t.Error(diff)
	}
	m := got.Meetups[0]
	if m.Since.Before(m.Peers[0].Since) || m.Peers[1].Since.Before(m.Peers[0].Since) {
		t.Errorf("the times are %v, %v and %v", m.Peers[0].Since, m.Peers[1].Since, m.Since)
	}
}

func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		strings.Repeat("x", 256):       strings.Repeat("x", 256),
		strings.Repeat("x", 257):       strings.Repeat("x", 256) + "…",
		"x" + strings.Repeat("é", 200): "x" + strings.Repeat("é", 127) + "…",
	} {
		if got := shown(text); got != want {
			t.Errorf("of %q %q is shown, want %q", text, got, want)
		}
	}
}

// TestShareOfAPeer has one certificate take its share, while another's is its own.
func TestShareOfAPeer(t *testing.T) {
	r := startRelay(t, Config{MaxPerPeer: 2})
	one, other := root().leaf("one", nil), root().leaf("other", nil)
	refused := func() bool {
		tc, err := r.shake(&one)
		if err != nil {
			t.Fatal(err)
		}
		defer tc.Close()
		if _, err := io.WriteString(tc, upgradeRequest(testPrefix+"x")); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(tc), nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode == http.StatusTooManyRequests
	}
	for round := range 2 { // what was refused took no place, and those who left gave theirs back
		first, second := r.openAs(&one, testPrefix+"x"), r.openAs(&one, testPrefix+"x")
		if !refused() || !refused() {
			t.Errorf("round %d: a third one came in", round)
		}
		third := r.openAs(&other, testPrefix+"y")
		for _, w := range []*wire{first, second, third} {
			w.Close()
		}
		r.waitFor(func(s Status) bool { return s.Arriving == 0 })
	}
}
