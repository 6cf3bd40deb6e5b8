// Package ticket makes what is printed on a ticket: the secret code and its
// picture as a QR code.
//
// The code is a bearer secret of 160 random bits: whoever shows it first gets
// in. So it leaves the server only for the holder of the order link and only
// once the ticket is paid. Scanning it at the door is not here yet.
package ticket

import (
	"encoding/base32"
	"fmt"
	"io"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// State says whether a ticket opens a door.
type State string

// The states of a ticket.
const (
	Unpaid   State = "unpaid" // recorded, the money is not taken yet
	Valid    State = "valid"
	Canceled State = "canceled"
)

// codeBytes makes a code of 32 characters without padding.
const codeBytes = 20

// Code draws a new code from random.
func Code(random io.Reader) (string, error) {
	var b [codeBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a ticket code: %w", err)
	}
	return base32.StdEncoding.EncodeToString(b[:]), nil
}

// quiet is the white margin that scanners need around the code, in modules.
const quiet = 4

// SVG draws a code as a QR code: one path, a unit a module, so that it is
// sharp at any size. 2.5 KB for a code of ours.
func SVG(code string) (string, error) {
	picture, err := qr.Encode(code, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	size := picture.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges">`, size+2*quiet)
	b.WriteString(`<path fill="#fff" d="M0 0h100v100h-100z"/><path d="`)
	for y := range size {
		for x := 0; x < size; {
			run := 0
			for x+run < size && dark(picture.At(x+run, y).RGBA()) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
			}
			x += run + 1
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }
