package loadtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/ropeline/ropeline/edge/wire"
)

// The check of a draw as a stranger would write it from docs/draw.md: it shares
// no code with the product.

// drawFile is what is read of a published draw.
type drawFile struct {
	fields map[string]string
	places []string // in their order
}

func readDraw(packed []byte) (drawFile, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return drawFile{}, fmt.Errorf("unpacking the draw: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, 64<<20))
	if err != nil {
		return drawFile{}, fmt.Errorf("unpacking the draw: %w", err)
	}
	head, places, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != "ropeline-draw 1" {
		return drawFile{}, errors.New("this is no draw")
	}
	d := drawFile{fields: map[string]string{}, places: strings.Split(strings.TrimSuffix(places, "\n"), "\n")}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		d.fields[name] = value
	}
	if fmt.Sprint(len(d.places)) != d.fields["count"] {
		return drawFile{}, fmt.Errorf("there are %d places, and the count says %s", len(d.places), d.fields["count"])
	}
	return d, nil
}

// check computes the whole draw again.
func (d drawFile) check() error {
	seed, err := hex.DecodeString(d.fields["seed"])
	if err != nil {
		return fmt.Errorf("reading the seed: %w", err)
	}
	terms := "ropeline draw 1\n" + d.fields["sale"] + "\n" + d.fields["close"] + "\n" + d.fields["beacon-rule"] + "\n"
	commitment := sha256.Sum256(append([]byte(terms), seed...))
	if hex.EncodeToString(commitment[:]) != d.fields["commitment"] {
		return errors.New("the seed is not the one that was committed to")
	}
	sorted := slices.Sorted(slices.Values(d.places))
	if len(slices.Compact(slices.Clone(sorted))) != len(sorted) {
		return errors.New("a place is there twice")
	}
	head := treeHead(sorted)
	root := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(len(sorted))), head[:]...))
	if hex.EncodeToString(root[:]) != d.fields["root"] {
		return errors.New("the places are not those of the root")
	}
	beacon, err := hex.DecodeString(d.fields["beacon"])
	if err != nil {
		return fmt.Errorf("reading the beacon: %w", err)
	}
	key := sha256.Sum256(slices.Concat(seed, root[:], beacon))
	score := func(place string) uint64 {
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte(place))
		return binary.BigEndian.Uint64(mac.Sum(nil)) >> 12
	}
	for i := 1; i < len(d.places); i++ {
		a, b := score(d.places[i-1]), score(d.places[i])
		if a > b || a == b && d.places[i-1] > d.places[i] {
			return fmt.Errorf("place %d stands before place %d", i, i+1)
		}
	}
	return nil
}

func treeHead(leaves []string) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	left := 1
	for left*2 < len(leaves) {
		left *= 2
	}
	a, b := treeHead(leaves[:left]), treeHead(leaves[left:])
	return sha256.Sum256(slices.Concat([]byte{1}, a[:], b[:]))
}

// note keeps the commitment, which is public before anybody is drawn.
func (f *fan) note(ctx context.Context) {
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodGet, path: f.place})
	var sale wire.Sale
	if a.ok() && a.decode(&sale) == nil && sale.Draw.Seed == "" {
		f.h.Commitment = sale.Draw.Commitment
	}
}

// checkDraw fetches the draw and checks all of it, and the fan's own place in
// it.
func (f *fan) checkDraw(ctx context.Context) {
	if f.h.Late || f.h.Commitment == "" || len(f.h.Shown) == 0 {
		return // left before there was an order
	}
	a := f.insist(ctx, f.rng, tries, request{method: http.MethodGet, path: f.place + "/draw/file"})
	if !a.ok() {
		f.h.DrawFault = fmt.Sprintf("the draw was not given out: %d %s", a.Status, a.Code)
		return
	}
	if err := f.verify(a.body); err != nil {
		f.h.DrawFault = err.Error()
		return
	}
	f.h.DrawChecked = true
}

func (f *fan) verify(packed []byte) error {
	d, err := readDraw(packed)
	if err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	if d.fields["commitment"] != f.h.Commitment {
		return errors.New("the commitment is not the one that was noted in the lobby")
	}
	own, err := placeOf(f.ticket)
	if err != nil {
		return err
	}
	at := slices.Index(d.places, own)
	if at < 0 {
		return errors.New("the fan's own place is not in it")
	}
	// Who left does not count any more, so fewer may be ahead, never more.
	if ahead := f.h.Shown[0].Position; ahead > int64(at) {
		return fmt.Errorf("the fan was drawn as number %d and shown %d ahead", at+1, ahead)
	}
	return nil
}

// placeOf reads the place out of a ticket without checking its signature.
func placeOf(ticket string) (string, error) {
	parts := strings.Split(ticket, ".")
	if len(parts) != 4 {
		return "", fmt.Errorf("reading place ticket: %d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return "", fmt.Errorf("reading place ticket: %w", err)
	}
	var t struct {
		Place string `json:"place"`
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return "", fmt.Errorf("reading place ticket: %w", err)
	}
	return t.Place, nil
}
