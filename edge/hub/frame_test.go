package hub

import (
	"bytes"
	"testing"
)

// However a client's bytes are cut into pieces, the same frames come out of
// them; none is longer than a control frame may be, and each is what was sent.
func FuzzParse(f *testing.F) {
	f.Add(frameOf(opPing, "hello"), 3)
	f.Add(append(frameOf(opPong, ""), frameOf(opClose, "\x03\xe8bye")...), 1)
	f.Add([]byte{final | 2, masked | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 2)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, sent []byte, piece int) {
		whole, wholeErr := parseAll(t, sent, len(sent)+1)
		pieces, piecesErr := parseAll(t, sent, max(1, piece&0xff))
		if wholeErr != piecesErr || !bytes.Equal(whole, pieces) {
			t.Fatalf("% x: whole % x %v, in pieces % x %v", sent, whole, wholeErr, pieces, piecesErr)
		}
		if !bytes.HasPrefix(sent, whole) {
			t.Fatalf("% x: read % x", sent, whole)
		}
	})
}

// parseAll parses what comes in pieces and returns the frames as they were sent.
func parseAll(t *testing.T, sent []byte, piece int) (frames []byte, err error) {
	var in []byte
	for from := 0; from < len(sent); from += piece {
		in = append(in, sent[from:min(from+piece, len(sent))]...)
		for {
			mask := append([]byte(nil), in[min(2, len(in)):min(6, len(in))]...)
			c, n, err := parse(in)
			if err != nil {
				return frames, err
			}
			if n == 0 {
				break
			}
			if len(c.payload) > controlMax || n != 6+len(c.payload) {
				t.Fatalf("a frame of %d bytes with %d of payload", n, len(c.payload))
			}
			if e := answer(c); c.op == opClose && (e.Code < 1000 || e.Code > 4999) {
				t.Fatalf("answered with %d", e.Code)
			}
			frames = append(append(frames, final|byte(c.op), masked|byte(len(c.payload))), mask...)
			for i, b := range c.payload {
				frames = append(frames, b^mask[i%4])
			}
			in = in[n:]
		}
	}
	return frames, nil
}
