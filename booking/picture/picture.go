// Package picture takes in what organizers upload as a picture and makes of it what
// is shown: JPEGs in a few widths. Nothing of the file itself is ever kept or sent.
// What is shown is drawn anew from its pixels, so that nothing comes along that is no
// picture: no place where it was taken, no script, no second file behind its end.
package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // a format that is read
	"slices"

	"github.com/bep/imagemeta"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // a format that is read

	"github.com/ropeline/ropeline"
)

// What a picture may have at most and at least. What it takes in memory while it is
// drawn follows from MaxPixels: 4 bytes a pixel, 160 MB.
const (
	MaxBytes  = 10 << 20
	MaxPixels = 40_000_000
	MaxSide   = 12_000
	MinSide   = 100
)

// quality is that of the JPEGs: above 82 they grow faster than they get better.
const quality = 82

// Refusals of a picture.
var (
	ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "picture-invalid"}
	ErrLarge   = &ropeline.Error{Kind: ropeline.TooLarge, Code: "picture-large", Detail: "A picture has 10 MB, 40 million pixels and 12,000 in a side at most."}
)

func refuse(because error, format string, args ...any) error {
	e := ErrInvalid.Because(because)
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// Drawn is a picture in one width.
type Drawn struct {
	Width, Height int
	JPEG          []byte
}

// Draw reads a JPEG, PNG or WebP and draws it in each of the widths, in ascending order;
// never larger than it is: where it is smaller, its own width is the last. It turns it
// upright as its camera says, and puts what is transparent on white. It fails with
// ErrLarge or ErrInvalid.
func Draw(file []byte, widths ...int) ([]Drawn, error) {
	if len(file) > MaxBytes {
		return nil, ErrLarge
	}
	head, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, refuse(err, "This is no picture that can be read: upload a JPEG, PNG or WebP.")
	}
	if head.Width > MaxSide || head.Height > MaxSide || head.Width*head.Height > MaxPixels {
		return nil, ErrLarge
	}
	if head.Width < MinSide || head.Height < MinSide {
		return nil, refuse(nil, "A picture has at least %d pixels in each side; this one has %d × %d.", MinSide, head.Width, head.Height)
	}
	pixels, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, refuse(err, "The picture is damaged: its end is missing, or what is in it.")
	}
	flat := upright(onWhite(pixels), orientation(file, format))
	var all []Drawn
	for _, width := range fitting(widths, flat.Bounds().Dx()) {
		d, err := shrink(flat, width)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// fitting are the widths that a picture of a width is drawn in.
func fitting(widths []int, own int) []int {
	widths = slices.Sorted(slices.Values(widths))
	for i, width := range widths {
		if width >= own {
			return append(widths[:i], own)
		}
	}
	return widths
}

// onWhite copies pixels, so that nothing is transparent.
func onWhite(pixels image.Image) *image.RGBA {
	flat := image.NewRGBA(image.Rect(0, 0, pixels.Bounds().Dx(), pixels.Bounds().Dy()))
	draw.Draw(flat, flat.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), pixels, pixels.Bounds().Min, draw.Over)
	return flat
}

func shrink(from *image.RGBA, width int) (Drawn, error) {
	height := max(1, (from.Bounds().Dy()*width+from.Bounds().Dx()/2)/from.Bounds().Dx())
	to := from
	if width != from.Bounds().Dx() {
		to = image.NewRGBA(image.Rect(0, 0, width, height))
		draw.CatmullRom.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, to, &jpeg.Options{Quality: quality}); err != nil {
		return Drawn{}, fmt.Errorf("writing a picture: %w", err)
	}
	return Drawn{Width: width, Height: to.Bounds().Dy(), JPEG: out.Bytes()}, nil
}

// orientation is how a camera says that a picture is to be turned, 1 to 8 as in EXIF.
// One that says so in a way that cannot be read says nothing.
func orientation(file []byte, format string) (turn int) {
	formats := map[string]imagemeta.ImageFormat{"jpeg": imagemeta.JPEG, "png": imagemeta.PNG, "webp": imagemeta.WebP}
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(file), ImageFormat: formats[format], Sources: imagemeta.EXIF,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool { return tag.Tag == "Orientation" },
		HandleTag: func(tag imagemeta.TagInfo) error {
			if said, ok := tag.Value.(uint16); ok && said >= 1 && said <= 8 {
				turn = int(said)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil && turn == 0 {
		return 1
	}
	return max(turn, 1)
}

// upright turns pixels as an orientation says: 2 is a mirror image, 3 upside down, 6
// lies on its left side, 8 on its right; 4, 5 and 7 are mirror images of those.
func upright(from *image.RGBA, turn int) *image.RGBA {
	w, h := from.Bounds().Dx(), from.Bounds().Dy()
	source := map[int]func(x, y int) (int, int){
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, h - 1 - x },
		7: func(x, y int) (int, int) { return w - 1 - y, h - 1 - x },
		8: func(x, y int) (int, int) { return w - 1 - y, x },
	}[turn]
	if source == nil {
		return from
	}
	size := image.Rect(0, 0, w, h)
	if turn >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	to := image.NewRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			to.SetRGBA(x, y, from.RGBAAt(source(x, y)))
		}
	}
	return to
}
