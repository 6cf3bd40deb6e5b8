package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/look"
)

func (s *server) routeLooks() error {
	return all(
		handle(s, "get-look", s.getLook),
		handle(s, "put-look", s.putLook),
		handle(s, "preview-look", s.previewLook),
		handle(s, "get-logo", s.getLogo),
		handle(s, "put-logo", s.putLogo),
		handle(s, "delete-logo", s.deleteLogo),
	)
}

// AtSale names a sale in the path.
type AtSale struct {
	Sale string `path:"sale" doc:"of whose pages"`
}

// ShownLook is a version of how the pages of a sale look.
type ShownLook struct {
	Version int        `json:"version"`
	Look    look.Look  `json:"look" doc:"as it can be put"`
	Logo    *LogoSides `json:"logo,omitempty" doc:"left out where there is none"`
}

// LogoSides is how large a logo was drawn.
type LogoSides struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

func shownLook(k catalogue.KeptLook) *ShownLook {
	out := &ShownLook{Version: k.Version, Look: k.Look}
	if k.Logo != nil {
		out.Logo = &LogoSides{k.Logo.Width, k.Logo.Height}
	}
	return out
}

// lookPut answers for a change, and has the edges told at once.
func (s *server) lookPut(k catalogue.KeptLook, err error) (*versioned[ShownLook], error) {
	if err != nil {
		return nil, err
	}
	s.posts.wake()
	return putAnswer(k.Version, k.Fresh, shownLook(k)), nil
}

type oneLook struct {
	AtSale
	VersionOf
}

func (s *server) getLook(ctx context.Context, in *oneLook) (*versioned[ShownLook], error) {
	k, err := s.shows.Look(ctx, ropeline.SaleID(in.Sale), in.Version)
	if err != nil {
		return nil, err
	}
	return versionAnswer(in.Have, k.Version, shownLook(k)), nil
}

type putLook struct {
	AtSale
	Edited
	Body look.Look
}

func (s *server) putLook(ctx context.Context, in *putLook) (*versioned[ShownLook], error) {
	change, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	return s.lookPut(s.shows.PutLook(ctx, ropeline.SaleID(in.Sale), in.Body, change))
}

type previewLook struct {
	AtSale
	Body look.Look
}

// LookPreview is what pages would get of a look.
type LookPreview struct {
	look.Page
	Title string `json:"title" doc:"of the sale"`
}

type gotPreview struct{ Body LookPreview }

// previewLook writes what a page would get, as the edge does. Nothing is kept.
func (s *server) previewLook(ctx context.Context, in *previewLook) (*gotPreview, error) {
	if err := in.Body.Validate(); err != nil {
		return nil, err
	}
	id := ropeline.SaleID(in.Sale)
	k, err := s.shows.Look(ctx, id, 0)
	if errors.Is(err, catalogue.ErrLookUnknown) {
		var sale ropeline.Sale
		sale, err = s.shows.Sale(ctx, id)
		k.Title = sale.Title
	}
	if err != nil {
		return nil, err
	}
	k.Look = in.Body
	address := ""
	if k.Logo != nil {
		address = "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(k.Logo.JPEG)
	}
	page, err := k.Page(address)
	return &gotPreview{Body: LookPreview{Page: page, Title: k.Title}}, err
}

type putLogo struct {
	AtSale
	Edited
	RawBody []byte `contentType:"image/*"`
}

// putLogo takes a picture in, and draws it anew.
func (s *server) putLogo(ctx context.Context, in *putLogo) (*versioned[ShownLook], error) {
	change, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	return s.lookPut(s.shows.PutLogo(ctx, ropeline.SaleID(in.Sale), in.RawBody, change))
}

type deleteLogo struct {
	AtSale
	Edited
}

func (s *server) deleteLogo(ctx context.Context, in *deleteLogo) (*versioned[ShownLook], error) {
	change, err := in.change(ctx)
	if err != nil {
		return nil, err
	}
	return s.lookPut(s.shows.RemoveLogo(ctx, ropeline.SaleID(in.Sale), change))
}

type gotLogo struct {
	Status int
	Type   string `header:"Content-Type"`
	ETag   string `header:"ETag"`
	Body   []byte
}

func (s *server) getLogo(ctx context.Context, in *oneLook) (*gotLogo, error) {
	k, err := s.shows.Look(ctx, ropeline.SaleID(in.Sale), in.Version)
	if err != nil {
		return nil, err
	}
	if k.Logo == nil {
		return nil, catalogue.ErrLogoUnknown
	}
	out := &gotLogo{Status: http.StatusOK, Type: "image/jpeg", ETag: versionTag(k.Version), Body: k.Logo.JPEG}
	if names(in.Have, out.ETag) {
		out.Status, out.Type, out.Body = http.StatusNotModified, "", nil
	}
	return out, nil
}

// LookBoard is where edges read how pages look. queue.Store is one.
type LookBoard interface {
	Looks(ctx context.Context) (index []byte, err error)
	PostLooks(ctx context.Context, index []byte) error
	PostLook(ctx context.Context, sale ropeline.SaleID, doc []byte) error
}

// lookPosts has edges told what the database says of looks. It compares the two, so that
// neither a crash between them nor a Redis that has lost all is a case of its own.
type lookPosts struct {
	shows *catalogue.Store
	board LookBoard
	woken chan struct{}
}

// lookEvery is how often the two are compared, without somebody having changed one here.
const lookEvery = 2 * time.Second

func newLookPosts(shows *catalogue.Store, board LookBoard) *lookPosts {
	if board == nil {
		return nil
	}
	return &lookPosts{shows: shows, board: board, woken: make(chan struct{}, 1)}
}

func (p *lookPosts) wake() {
	if p == nil {
		return
	}
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// run compares until ctx ends. What goes wrong is tried again.
func (p *lookPosts) run(ctx context.Context, failed func(error)) error {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for {
		if err := p.post(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		case <-p.woken:
		}
	}
}

// post tells the looks that are not told yet, then the index: what it names is there.
func (p *lookPosts) post(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	index, err := p.shows.Looks(ctx)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("writing the index of looks: %w", err)
	}
	told, err := p.board.Looks(ctx)
	if err != nil || bytes.Equal(told, doc) {
		return err
	}
	var was look.Index
	if told != nil {
		if was, err = look.ParseIndex(told); err != nil {
			return err
		}
	}
	for sale, entry := range index {
		if was[sale].Version == entry.Version {
			continue
		}
		k, err := p.shows.Look(ctx, sale, entry.Version)
		if err != nil {
			return err
		}
		posted, err := json.Marshal(k.Posted)
		if err != nil {
			return fmt.Errorf("writing the look of %s: %w", sale, err)
		}
		if err := p.board.PostLook(ctx, sale, posted); err != nil {
			return err
		}
	}
	return p.board.PostLooks(ctx, doc)
}
