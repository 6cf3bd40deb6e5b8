package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"
)

// corner is a picture, white but for one red corner: top left.
func corner(width, height int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p.Set(x, y, color.White)
			if x < width/2 && y < height/2 {
				p.Set(x, y, color.NRGBA{R: 255, A: 255})
			}
		}
	}
	return p
}

func asJPEG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// turned is a JPEG with the word of its camera how it is to be turned.
func turned(t testing.TB, p image.Image, turn int) []byte {
	exif := []byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	exif[6+8+2+9] = byte(turn)
	file := asJPEG(t, p)
	segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
	return slices.Concat(file[:2], segment, exif, file[2:])
}

func draw1(t *testing.T, file []byte, widths ...int) []Drawn {
	t.Helper()
	all, err := Draw(file, widths...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func pixels(t *testing.T, d Drawn) image.Image {
	t.Helper()
	p, err := jpeg.Decode(bytes.NewReader(d.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	if p.Bounds().Dx() != d.Width || p.Bounds().Dy() != d.Height {
		t.Fatalf("it is %v, and is said to be %d × %d", p.Bounds(), d.Width, d.Height)
	}
	return p
}

func TestAPictureIsDrawnInEveryWidthAndNeverLargerThanItIs(t *testing.T) {
	for _, c := range []struct {
		width, height int
		want          string
	}{
		{2000, 1000, "320×160 640×320 1280×640"},
		{640, 480, "320×240 640×480"},
		{500, 700, "320×448 500×700"},
		{100, 3000, "100×3000"},
	} {
		got := ""
		for _, d := range draw1(t, asPNG(t, corner(c.width, c.height)), 1280, 320, 640) {
			pixels(t, d)
			got += fmt.Sprintf(" %d×%d", d.Width, d.Height)
		}
		if got != " "+c.want {
			t.Errorf("%d × %d is drawn in%s, want %s", c.width, c.height, got, c.want)
		}
	}
}

// Where the red corner is to be seen, by what the camera said.
func TestAPictureIsTurnedUpright(t *testing.T) {
	type at struct{ right, below bool }
	for turn, want := range map[int]at{
		1: {false, false}, 2: {true, false}, 3: {true, true}, 4: {false, true},
		5: {false, false}, 6: {true, false}, 7: {true, true}, 8: {false, true},
	} {
		d := draw1(t, turned(t, corner(400, 200), turn), 800)[0]
		if lies := turn >= 5; (d.Width == 200) != lies {
			t.Errorf("turn %d: it is %d × %d", turn, d.Width, d.Height)
		}
		p := pixels(t, d)
		for _, where := range []at{{false, false}, {true, false}, {false, true}, {true, true}} {
			x, y := d.Width/4, d.Height/4
			if where.right {
				x = d.Width * 3 / 4
			}
			if where.below {
				y = d.Height * 3 / 4
			}
			_, green, _, _ := p.At(x, y).RGBA()
			if red := green < 1<<15; red != (where == want) {
				t.Errorf("turn %d: at %+v it is red %v, want it at %+v", turn, where, red, want)
			}
		}
	}
}

func TestWhatIsTransparentIsWhite(t *testing.T) {
	p := pixels(t, draw1(t, asPNG(t, image.NewNRGBA(image.Rect(0, 0, 200, 200))), 100)[0])
	if r, g, b, _ := p.At(50, 50).RGBA(); min(r, g, b) < 0xf000 {
		t.Errorf("it is %v", p.At(50, 50))
	}
}

// A file can be a picture and something else as well: what is made of it is not.
func TestNothingButPixelsComesThrough(t *testing.T) {
	file := turned(t, corner(300, 300), 6)
	comment := []byte("\xff\xfe\x00\x24<script>alert(document.domain)//")
	file = slices.Concat(file[:2], comment, []byte("xx"), file[2:], []byte("PK\x03\x04<html><script>alert(1)</script>"))
	for _, d := range draw1(t, file, 150, 300) {
		for _, trace := range []string{"Exif", "script", "PK\x03\x04", "html"} {
			if bytes.Contains(d.JPEG, []byte(trace)) {
				t.Errorf("%q came through", trace)
			}
		}
	}
}

// enormous is the head of a PNG of that size, without a pixel.
func enormous(width, height uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(chunk))
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	whole := asJPEG(t, corner(300, 300))
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":             {nil, ErrInvalid},
		"a drawing":           {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300"><script>alert(1)</script></svg>`), ErrInvalid},
		"a page":              {[]byte("<!doctype html><script>alert(1)</script>"), ErrInvalid},
		"a film":              {[]byte("GIF89a\x2c\x01\x2c\x01\x00\x00\x00;"), ErrInvalid},
		"half of one":         {whole[:len(whole)/2], ErrInvalid},
		"too small":           {asPNG(t, corner(99, 300)), ErrInvalid},
		"more bytes":          {append(whole, make([]byte, MaxBytes)...), ErrLarge},
		"more pixels":         {enormous(8000, 8000), ErrLarge},
		"a longer side":       {enormous(12_001, 200), ErrLarge},
		"as much as there is": {enormous(1<<31-1, 1<<31-1), ErrInvalid},
	} {
		if _, err := Draw(c.file, 320); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzDraw(f *testing.F) {
	f.Add(asPNG(f, corner(120, 120)))
	f.Add(turned(f, corner(120, 120), 6))
	f.Add([]byte("RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x000\x01\x00\x9d\x01*\x80\x00\x80\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := Draw(file, 50)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrLarge) {
				t.Fatal(err)
			}
			return
		}
		if len(all) != 1 || all[0].Width != 50 {
			t.Fatalf("drawn in %d widths: %d", len(all), all[0].Width)
		}
		pixels(t, all[0])
	})
}
