package qr_test

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/ropeline/ropeline/internal/qr"
)

func TestAScannerReadsWhatWasDrawn(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"A", strings.Repeat("ABCDEFGH", 4), "https://example.org/sales/winter-tour#handover=ABCDE-FGHJK", "https://example.org/" + strings.Repeat("x", 300)} {
		svg, err := qr.SVG(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, svg, qrcode.NewQRCodeReader()); got != text {
			t.Errorf("a scanner reads %q, want %q", got, text)
		}
		if len(text) <= 64 && len(svg) > 8<<10 {
			t.Errorf("the picture has %d bytes", len(svg))
		}
	}
	if svg, err := qr.SVG(strings.Repeat("x", 4000)); err == nil {
		t.Errorf("a text that no QR code holds was drawn in %d bytes", len(svg))
	}
}

func TestAScannerReadsTheBars(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"A", "ABCDEFGHIJKLMNOPQRSTUVWX", "234567ABCDEF234567ABCDEF", "222222222222222222222222"} {
		svg, err := qr.Bars(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(t, svg, oned.NewCode128Reader()); got != text {
			t.Errorf("a scanner reads %q, want %q", got, text)
		}
		if len(svg) > 3<<10 {
			t.Errorf("the picture has %d bytes", len(svg))
		}
	}
	for _, text := range []string{"", "код", strings.Repeat("x", 4000)} {
		if svg, err := qr.Bars(text); err == nil {
			t.Errorf("a text that no bar code holds was drawn in %d bytes", len(svg))
		}
	}
}

// scan draws the picture as a browser would and reads it as a scanner would.
func scan(t *testing.T, svg string, scanner gozxing.Reader) string {
	t.Helper()
	var width, height int
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
					if _, err := fmt.Sscanf(a.Value, "0 0 %d %d", &width, &height); err != nil {
						t.Fatal(err)
					}
				case "d":
					path = a.Value // the last one is the code
				}
			}
		}
	}
	const scale = 6
	img := image.NewGray(image.Rect(0, 0, width*scale, height*scale))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for _, run := range strings.Split(path, "z") {
		if run == "" {
			continue
		}
		var x, y, w, h, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv%dh-%d", &x, &y, &w, &h, &back); err != nil || back != w {
			t.Fatalf("run %q: %v", run, err)
		}
		draw.Draw(img, image.Rect(x*scale, y*scale, (x+w)*scale, (y+h)*scale), image.NewUniform(color.Black), image.Point{}, draw.Src)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	result, err := scanner.Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("a scanner cannot read the picture: %v", err)
	}
	return result.GetText()
}
