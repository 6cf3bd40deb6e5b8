// Package qr draws texts as QR codes and bar codes for pages and documents, as
// SVG: a page of ours may show it without any script. It does not read them.
package qr

import (
	"fmt"
	"strconv"

	"rsc.io/qr"
)

// quiet is the white margin that scanners need around the code, in modules.
const quiet = 4

// SVG draws a text as a QR code: one path, a unit a module, so that it is
// sharp at any size. 2.5 KB for 32 characters.
func SVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	b := fmt.Appendf(make([]byte, 0, 4<<10),
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dh-%[1]dz"/><path d="`, code.Size+2*quiet)
	part := func(before string, n int) { b = strconv.AppendInt(append(b, before...), int64(n), 10) }
	for y := range code.Size {
		for x := 0; x < code.Size; {
			run := 0
			for code.Black(x+run, y) { // nothing is, beyond its edge
				run++
			}
			if run > 0 {
				part("M", x+quiet)
				part(" ", y+quiet)
				part("h", run)
				part("v1h-", run)
				b = append(b, 'z')
			}
			x += run + 1
		}
	}
	return string(append(b, `"/></svg>`...)), nil
}
