package qr

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/code128"
)

const (
	barsHeight = 60 // in modules; a fifth of its width is what scanners are made for
	barsQuiet  = 10 // the white margin on both sides that the standard asks for, in modules
)

// Bars draws a text of printable ASCII as a bar code (Code 128), for tills that
// read no QR codes: 11 modules a character, and 2 KB for 24 of them. The picture
// may be made higher and wider as there is room.
func Bars(text string) (string, error) {
	picture, err := code128.Encode(text)
	if err != nil {
		return "", fmt.Errorf("drawing a bar code: %w", err)
	}
	size := picture.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" preserveAspectRatio="none" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[2]dh-%[1]dz"/><path d="`, size+2*barsQuiet, barsHeight)
	for x := 0; x < size; {
		run := 0
		for x+run < size && dark(picture.At(x+run, 0).RGBA()) {
			run++
		}
		if run > 0 {
			fmt.Fprintf(&b, "M%d 0h%dv%dh-%dz", x+barsQuiet, run, barsHeight, run)
		}
		x += run + 1
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }
