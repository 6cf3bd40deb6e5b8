package hub

import (
	"encoding/binary"
	"errors"
)

// opcode is what a frame of RFC 6455 is.
type opcode byte

const (
	opText  opcode = 0x1
	opClose opcode = 0x8
	opPing  opcode = 0x9
	opPong  opcode = 0xa
)

const (
	final      = 0x80 // in the first byte: the last fragment
	masked     = 0x80 // in the second byte
	controlMax = 125  // bytes of a control frame's payload
)

// appendFrame appends a whole frame as a server sends it, unmasked.
func appendFrame(b []byte, op opcode, payload []byte) []byte {
	b = append(b, final|byte(op))
	switch n := len(payload); {
	case n <= controlMax:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// appendClose appends a close frame.
func appendClose(b []byte, e *Ending) []byte {
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, controlMax), uint16(e.Code))
	payload = append(payload, e.Reason[:min(len(e.Reason), controlMax-2)]...)
	return appendFrame(b, opClose, payload)
}

// control is a control frame that a client sent.
type control struct {
	op      opcode
	payload []byte // unmasked, a part of what was parsed
}

// errUnexpected means a client sent what is no control frame of RFC 6455.
var errUnexpected = errors.New("hub: a client's bytes are no control frame")

// parse reads one control frame from the front of b, which it unmasks in
// place, and returns its size; 0 if more bytes are needed. What cannot become a
// control frame is refused by its first bytes, however long it claims to be.
func parse(b []byte) (control, int, error) {
	if len(b) == 0 {
		return control{}, 0, nil
	}
	op := opcode(b[0] &^ final)
	if b[0]&final == 0 || op != opClose && op != opPing && op != opPong {
		return control{}, 0, errUnexpected
	}
	if len(b) == 1 {
		return control{}, 0, nil
	}
	size := int(b[1] &^ masked)
	if b[1]&masked == 0 || size > controlMax || op == opClose && size == 1 {
		return control{}, 0, errUnexpected
	}
	const header = 2 + 4 // with the mask
	if len(b) < header+size {
		return control{}, 0, nil
	}
	mask, payload := b[2:header], b[header:header+size]
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return control{op, payload}, header + size, nil
}

// answer is what a client's close frame is answered with: its own code.
func answer(c control) *Ending {
	if len(c.payload) < 2 {
		return &Ending{Code: closeNormal}
	}
	code := int(binary.BigEndian.Uint16(c.payload))
	if code < closeNormal || code > 4999 || code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 {
		code = closeProtocol // a code that may not be sent
	}
	return &Ending{Code: code}
}

const (
	closeNormal   = 1000
	closeProtocol = 1002
)
