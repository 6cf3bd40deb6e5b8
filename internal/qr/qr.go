// Package qr draws texts as QR codes and bar codes for pages and documents, as
// SVG: a page of ours may show it without any script. It does not read them.
package qr

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the white margin that scanners need around the code, in modules.
const quiet = 4

// SVG draws a text as a QR code: one path, a unit a module, so that it is
// sharp at any size. 2.5 KB for 32 characters.
func SVG(text string) (string, error) {
	picture, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	size := picture.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dh-%[1]dz"/><path d="`, size+2*quiet)
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
