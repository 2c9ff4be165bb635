package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/relay"
	"keyward/relay/message"
)

// printedEvent is an event of the peer on stdout.
type printedEvent struct {
	Event    string `json:"event"`
	Format   string `json:"format,omitempty"`
	Encoding string `json:"encoding,omitempty"` // base64, or none
	Body     any    `json:"body,omitempty"`
}

func (n *connector) printEvent(event message.Event) {
	body, line := event.Body, printedEvent{Event: event.Name, Format: event.Body.MediaType()}
	switch {
	case body.Bytes == nil:
	case body.Format == message.JSON:
		line.Body = json.RawMessage(body.Bytes)
	case body.Format == message.OctetStream:
		line.Body, line.Encoding = body.Bytes, "base64"
	default:
		line.Body = string(body.Bytes)
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = n.stdout.Write(append(plain(text), '\n'))
	}
	if err != nil {
		n.note("warning: an event could not be printed: %v", err)
	}
}

// publisher sends stdin's lines as events.
type publisher struct {
	*connector
	name, format string
	alone        bool // nothing else keeps the command running

	lines, unsent int // so far
}

// publish sends stdin's lines where --event says what they are.
func (n *connector) publish(ctx context.Context, c *cli.Context) {
	p := &publisher{connector: n, name: c.String("event"), format: c.String("event-type"), alone: n.alone}
	if p.name == "" {
		return
	}
	if p.alone {
		n.OnEnd = n.endOverlong
	}
	in := make(chan inputLine)
	go readLines(n.stdin, n.MaxMessage, in)
	n.beside(func() error { return p.run(ctx, in) })
}

// endOverlong ends the run where the relay ended the connection for a line that is larger than it takes. It is heard before
// the run's own close frame is answered, and so of the last line too.
func (n *connector) endOverlong(err error) {
	if errors.Is(err, relay.ErrTooLarge) {
		n.overlong = err
		n.stop()
	}
}

func (p *publisher) run(ctx context.Context, in <-chan inputLine) error {
	for {
		select {
		case line := <-in:
			switch {
			case errors.Is(line.err, io.EOF):
				return p.end()
			case line.err != nil:
				return fault.New(fault.Failed, "", "cannot read stdin: %w", line.err)
			}
			if err := p.send(ctx, line.text); err != nil {
				return err
			}
		case <-ctx.Done():
			select {
			case line := <-in:
				if line.err == nil {
					p.lines++
					return p.cutOff()
				}
			default:
			}
			return nil
		}
	}
}

// cutOff says that the run ends with lines that were not sent. How many there would be nobody knows: stdin may have no end.
func (p *publisher) cutOff() error {
	return fault.New(fault.Unreachable, "start it again with that line and those after it", "line %d of stdin, and what comes after it, was not sent", p.lines)
}

// send sends a line to the peer that is there, or to the next one. One that is no event is told, and left out.
func (p *publisher) send(ctx context.Context, text []byte) error {
	p.lines++
	body, err := message.NewBody(p.format, text)
	for err == nil {
		err = p.Publish(ctx, message.Event{Name: p.name, Body: body})
		if err == nil {
			return nil
		}
		if !errors.Is(err, relay.ErrNoPeer) && !errors.Is(err, relay.ErrPeerGone) && ctx.Err() == nil {
			break
		}
		select {
		case <-p.arrived:
			err = nil
		case <-ctx.Done():
			return p.cutOff()
		}
	}
	p.unsent++
	p.note("warning: line %d of stdin is not sent: %v", p.lines, err)
	return nil
}

// end comes after the last line. Where there is nothing else to do it ends the run.
func (p *publisher) end() error {
	if !p.alone {
		return nil
	}
	p.stop()
	if p.unsent > 0 {
		return fault.New(fault.InvalidFile, "see the warnings above, and --event-type", "%d of %d lines of stdin were not sent", p.unsent, p.lines)
	}
	return nil
}

type inputLine struct {
	text []byte
	err  error // io.EOF after the last, without a text
}

// readLines gives out r's lines, without their ends. A read that waits for the next line cannot be given up, and so it goes
// on to the end of the process. Of a line of more than limit bytes, which is no event, it keeps one more.
func readLines(r io.Reader, limit int64, out chan<- inputLine) {
	in := bufio.NewReader(r)
	for {
		var line inputLine
		for more := true; more; {
			var part []byte
			part, more, line.err = in.ReadLine()
			line.text = append(line.text, part[:min(int64(len(part)), limit+1-int64(len(line.text)))]...)
		}
		if len(line.text) > 0 && errors.Is(line.err, io.EOF) { // ReadLine tells of an end behind a full buffer by itself
			out <- inputLine{text: line.text}
			line.text = nil
		}
		out <- line
		if line.err != nil {
			return
		}
	}
}
