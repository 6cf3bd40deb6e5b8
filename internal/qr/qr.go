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

// Run is a stretch of dark modules, Length of them to the right of X in row Y.
type Run struct{ X, Y, Length int }

// Runs draws a text as a QR code of so many modules in each side, without a margin.
func Runs(text string) (size int, runs []Run, err error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return 0, nil, fmt.Errorf("drawing a QR code: %w", err)
	}
	for y := range code.Size {
		for x := 0; x < code.Size; {
			length := 0
			for code.Black(x+length, y) { // nothing is, beyond its edge
				length++
			}
			if length > 0 {
				runs = append(runs, Run{x, y, length})
			}
			x += length + 1
		}
	}
	return code.Size, runs, nil
}

// SVG draws a text as a QR code: one path, a unit a module, so that it is
// sharp at any size. 2.5 KB for 32 characters.
func SVG(text string) (string, error) {
	size, runs, err := Runs(text)
	if err != nil {
		return "", err
	}
	b := fmt.Appendf(make([]byte, 0, 4<<10),
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dh-%[1]dz"/><path d="`, size+2*quiet)
	part := func(before string, n int) { b = strconv.AppendInt(append(b, before...), int64(n), 10) }
	for _, r := range runs {
		part("M", r.X+quiet)
		part(" ", r.Y+quiet)
		part("h", r.Length)
		part("v1h-", r.Length)
		b = append(b, 'z')
	}
	return string(append(b, `"/></svg>`...)), nil
}
