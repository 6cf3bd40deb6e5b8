package api

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/look"
)

func pngOf(t *testing.T, width, height int) string {
	t.Helper()
	pixels := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		pixels.Set(x, height/2, color.RGBA{200, 20, 20, 255})
	}
	var file bytes.Buffer
	if err := png.Encode(&file, pixels); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// A look is put as any document of an organizer's: by version, with a reason, written down.
func TestLooksAreEditedOverHTTP(t *testing.T) {
	t.Parallel()
	c := start(t)
	path := salesPath + string(c.sale.ID) + "/look"
	c.organize(http.MethodGet, path, "").refused(404, "look-unknown")
	text := c.json(m{"title": "The opera", "colors": m{"light": m{"accent": "#0a5c8a"}}, "domains": []string{"tickets.opera.example"}})
	c.organize(http.MethodPut, path, text).refused(428, "if-match-missing")
	c.organize(http.MethodPut, salesPath+"nothing/look", text, "If-None-Match", "*").refused(404, "sale-unknown")
	var made ShownLook
	c.organize(http.MethodPut, path, text, "If-None-Match", "*").is(http.StatusCreated, &made)
	if made.Version != 1 || made.Look.Title != "The opera" || made.Logo != nil {
		t.Errorf("made %+v", made)
	}
	c.organize(http.MethodPut, path, text, "If-None-Match", "*").is(http.StatusOK, &made) // again: nothing new
	c.organize(http.MethodPut, path, `{"title":"Mine"}`, "If-None-Match", "*").refused(412, "changed-meanwhile")
	c.organize(http.MethodPut, path, `{"title":"Mine"}`, "If-Match", `"1"`).refused(422, "reason-invalid")
	if a := c.organize(http.MethodGet, path, "", "If-None-Match", `"1"`); a.Status != http.StatusNotModified {
		t.Errorf("%d", a.Status)
	}

	// A logo makes the next version, and stays with the texts of the one after.
	const why = "?reason=a+new+season"
	c.organize(http.MethodGet, path+"/logo", "").refused(404, "logo-unknown")
	c.organize(http.MethodPut, path+"/logo"+why, "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "If-Match", `"1"`).refused(422, "picture-invalid")
	c.organize(http.MethodPut, path+"/logo"+why, pngOf(t, 4001, 120), "If-Match", `"1"`).refused(413, "logo-large")
	c.announce(http.MethodPut, path+"/logo"+why, "key-olga", catalogue.MaxLogoBytes+2).refused(413, "body-too-large") // before it is sent
	c.organize(http.MethodPut, path+"/logo"+why, pngOf(t, 960, 320), "If-Match", `"9"`).refused(412, "changed-meanwhile")
	var drawn ShownLook
	c.organize(http.MethodPut, path+"/logo"+why, pngOf(t, 960, 320), "If-Match", `"1"`).is(http.StatusOK, &drawn)
	if drawn.Version != 2 || drawn.Logo == nil || *drawn.Logo != (LogoSides{480, 160}) || drawn.Look.Title != "The opera" {
		t.Errorf("drawn %+v", drawn)
	}
	file := c.organize(http.MethodGet, path+"/logo", "")
	if config, err := jpeg.DecodeConfig(bytes.NewReader(file.Body)); err != nil || config.Width != 480 || file.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the logo: %+v, %v, %v", config, err, file.Header)
	}
	c.organize(http.MethodPut, path+why, `{"title":"The old opera"}`, "If-Match", `"2"`).is(http.StatusOK, &drawn)
	if drawn.Version != 3 || drawn.Logo == nil {
		t.Errorf("with other texts: %+v", drawn)
	}
	var bare ShownLook
	c.organize(http.MethodDelete, path+"/logo"+why, "", "If-Match", `"3"`).is(http.StatusOK, &bare)
	if bare.Version != 4 || bare.Logo != nil {
		t.Errorf("without a logo: %+v", bare)
	}
	var changes ChangeList
	c.organize(http.MethodGet, organizer+"/changes?subject="+string(c.sale.ID), "").is(http.StatusOK, &changes)
	changes.Changes = slices.DeleteFunc(changes.Changes, func(e audit.Edit) bool { return e.What != "look" }) // the sale was made, too
	if len(changes.Changes) != 4 || changes.Changes[0].What != "look" || changes.Changes[0].Version != 4 || changes.Changes[0].Reason != "a new season" {
		t.Errorf("written down: %+v", changes)
	}
}

// What cannot be read is refused with the ratio, in a preview and when it is kept.
func TestWhatIsPreviewedIsWhatIsShown(t *testing.T) {
	t.Parallel()
	c := start(t)
	path := salesPath + string(c.sale.ID) + "/look"
	bad := c.json(m{"colors": m{"light": m{"accent": "#ffcc00"}}})
	for _, a := range []answer{c.organize(http.MethodPost, path+"/preview", bad), c.organize(http.MethodPut, path, bad, "If-None-Match", "*")} {
		a.refused(422, "look-contrast")
		if !strings.Contains(string(a.Body), "1.3") || !strings.Contains(string(a.Body), "4.5:1") {
			t.Errorf("no ratio in %s", a.Body)
		}
	}
	c.organize(http.MethodPut, path+"/logo", pngOf(t, 300, 150), "If-None-Match", "*").is(http.StatusCreated, nil)
	var p LookPreview
	c.organize(http.MethodPost, path+"/preview", c.json(m{"title": "<b>Opera</b>"})).is(http.StatusOK, &p)
	if !strings.Contains(string(p.Head), "&lt;b&gt;Opera") || !strings.Contains(string(p.Head), `src="data:image/jpeg;base64,`) || p.Title == "" {
		t.Errorf("%+v", p)
	}
	var kept ShownLook
	c.organize(http.MethodGet, path, "").is(http.StatusOK, &kept)
	if kept.Version != 1 || kept.Look.Title != "" {
		t.Errorf("a preview was kept: %+v", kept)
	}
}

// noticeBoard is a board that tells what it was told.
type noticeBoard struct {
	mu    sync.Mutex
	index []byte
	docs  map[ropeline.SaleID][]byte
}

func (b *noticeBoard) Looks(context.Context) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.index, nil
}

func (b *noticeBoard) PostLooks(_ context.Context, index []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index = index
	return nil
}

func (b *noticeBoard) PostLook(_ context.Context, sale ropeline.SaleID, doc []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.docs[sale] = doc
	return nil
}

// Edges are told what the database says, again after a loss, and nothing twice.
func TestEdgesAreToldOfLooks(t *testing.T) {
	t.Parallel()
	c := start(t)
	board := &noticeBoard{docs: map[ropeline.SaleID][]byte{}}
	posts := newLookPosts(c.api.server.shows, board)
	told := func() look.Posted {
		t.Helper()
		if err := posts.post(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, err := look.ParsePosted(board.docs[c.sale.ID])
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	path := salesPath + string(c.sale.ID) + "/look"
	c.organize(http.MethodPut, path, `{"title":"Opera","domains":["a.example"]}`, "If-None-Match", "*").is(http.StatusCreated, nil)
	c.organize(http.MethodPut, path+"/logo?reason=r", pngOf(t, 300, 150), "If-Match", `"1"`).is(http.StatusOK, nil)
	p := told()
	if p.Version != 2 || p.Look.Title != "Opera" || p.Logo == nil || p.Title != c.sale.Title {
		t.Errorf("told %+v", p)
	}
	index, err := look.ParseIndex(board.index)
	if err != nil || index[c.sale.ID].Version != 2 || len(index[c.sale.ID].Domains) != 1 {
		t.Errorf("index %s, %v", board.index, err)
	}
	board.docs = map[ropeline.SaleID][]byte{c.sale.ID: []byte(`{"version":7}`)}
	if p := told(); p.Version != 7 {
		t.Errorf("told again what is told: %+v", p)
	}
	board.index = nil // lost
	if p := told(); p.Version != 2 {
		t.Errorf("not told again after a loss: %+v", p)
	}
}

// Who signed in on a page of ours may work at the desk, from that page alone.
func TestTheDeskTakesTheSignIn(t *testing.T) {
	t.Parallel()
	c := start(t)
	path := salesPath + string(c.sale.ID) + "/look"
	cookie := []string{"Cookie", ropeline.StaffCookie + "=key-olga", "If-None-Match", "*"}
	c.do(http.MethodPut, path, "", `{"title":"Opera"}`, append(cookie, "Sec-Fetch-Site", "cross-site")...).refused(403, "origin-mismatch")
	c.do(http.MethodPut, path, "", `{"title":"Opera"}`, append(cookie, "Sec-Fetch-Site", "same-origin")...).is(http.StatusCreated, nil)
	c.do(http.MethodGet, path, "", "").refused(401, "staff-required")
	c.do(http.MethodGet, path, "key-counter", "").refused(403, "organizer-required")
}
