package ticket_test

import (
	"bytes"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/ropeline/ropeline/booking/ticket"
)

func TestCodesAreRandomAndReadOffTheirPicture(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 20 {
		code, err := ticket.Code(rand.Reader)
		if err != nil || len(code) != 32 || seen[code] {
			t.Fatalf("code %q, %v", code, err)
		}
		seen[code] = true
		svg, err := ticket.SVG(code)
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, svg); got != code {
			t.Fatalf("a scanner reads %q, want %q", got, code)
		}
		if len(svg) > 8<<10 {
			t.Errorf("the picture has %d bytes", len(svg))
		}
	}
}

func TestNoRandomnessIsAnError(t *testing.T) {
	t.Parallel()
	if code, err := ticket.Code(bytes.NewReader(make([]byte, 19))); err == nil {
		t.Errorf("code %q out of too few random bytes", code)
	}
}

// scan draws the picture as a browser would and reads it as a scanner would.
func scan(t *testing.T, svg string) string {
	t.Helper()
	var size int
	var path string
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is not XML: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "viewBox":
					if _, err := fmt.Sscanf(a.Value, "0 0 %d", &size); err != nil {
						t.Fatal(err)
					}
				case "d":
					path = a.Value // the last one is the code
				}
			}
		}
	}
	const scale = 6
	img := image.NewGray(image.Rect(0, 0, size*scale, size*scale))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for _, run := range strings.Split(path, "z") {
		if run == "" {
			continue
		}
		var x, y, w, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &w, &back); err != nil || back != w {
			t.Fatalf("run %q: %v", run, err)
		}
		draw.Draw(img, image.Rect(x*scale, y*scale, (x+w)*scale, (y+1)*scale), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("a scanner cannot read the picture: %v", err)
	}
	return result.GetText()
}
