package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/ropeline/ropeline"
)

//go:embed lua/post.lua
var postSource string
var postScript = newScript("post", postSource)

//go:embed lua/repost.lua
var repostSource string
var repostScript = newScript("repost", repostSource)

// Board is what a sale has posted for everybody: the organizer's message, why the
// sale was paused last, and the terms. A tick tells its number only; each edge reads it when that rises,
// keeps it, and puts it back when Redis has lost it. A Board never changes.
type Board struct {
	Number  int64    // rises with everything that is posted
	Message *Message // nil: none
	Pause   *Message // nil: none in several languages
	Terms   []string // the signed sheets, version 1 first

	items map[string]string // as Redis has them
}

const (
	postedMessage = "message"
	postedPause   = "pause"
	postedTerms   = "terms:"
)

// Newest is the newest version of the terms, 0 while there are none.
func (b *Board) Newest() int {
	if b == nil {
		return 0
	}
	return len(b.Terms)
}

// ErrMessageChanged means that somebody else changed the message meanwhile.
var ErrMessageChanged = &ropeline.Error{Kind: ropeline.Conflict, Code: "message-changed",
	Detail: "Somebody else changed the message meanwhile. Look at it and try again."}

// SetMessage puts the organizer's message in the place of the one that has the
// number expect (0: of none), else ErrMessageChanged; nil expects nothing. A
// message without texts takes it away. The event is what the public is told.
func (s *Store) SetMessage(ctx context.Context, sale ropeline.SaleID, m Message, expect *int64, event any) (number int64, err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("writing a message: %w", err)
	}
	expected := ""
	if expect != nil {
		expected = strconv.FormatInt(*expect, 10)
	}
	fresh, number, err := s.post(ctx, sale, postedMessage, string(text), 0, expected, "message", event)
	if err == nil && !fresh {
		err = ErrMessageChanged
	}
	return number, err
}

// PostTerms makes a version of the terms known to every edge. One that is known
// already stays as it is, and the public is told of it once.
func (s *Store) PostTerms(ctx context.Context, sale ropeline.SaleID, version int, signed string, event any) (fresh bool, err error) {
	fresh, _, err = s.post(ctx, sale, postedTerms+strconv.Itoa(version), signed, 1, "", "terms", event)
	return fresh, err
}

func (s *Store) post(ctx context.Context, sale ropeline.SaleID, what, text string, forEver int, expect, kind string, event any) (bool, int64, error) {
	data, err := json.Marshal(event)
	if err != nil {
		return false, 0, fmt.Errorf("telling %s: %w", kind, err)
	}
	reply, err := s.run(ctx, postScript, keysOf(sale, "state", "board", "events"), what, text, forEver, expect, kind, data)
	if err != nil {
		return false, 0, err
	}
	fields, _ := reply.([]any)
	r := reader{fields: fields}
	fresh, number := r.integer(), r.integer()
	return fresh == 1, number, r.failed("post")
}

// Board returns what is posted.
func (s *Store) Board(ctx context.Context, sale ropeline.SaleID) (*Board, error) {
	items, err := s.rdb.HGetAll(ctx, key(sale, "board")).Result()
	if err != nil {
		return nil, storeError("reading the board", err)
	}
	b := &Board{items: items}
	for what, item := range items {
		number, text, err := unpost(item)
		if err != nil {
			return nil, fmt.Errorf("reading %s of %s: %w", what, sale, err)
		}
		b.Number = max(b.Number, number)
		into := map[string]**Message{postedMessage: &b.Message, postedPause: &b.Pause}[what]
		if into == nil {
			continue
		}
		m := &Message{Number: number}
		if err := json.Unmarshal([]byte(text), m); err != nil {
			return nil, fmt.Errorf("reading the %s of %s: %w", what, sale, err)
		}
		if len(m.Texts) > 0 {
			*into = m
		}
	}
	for v := 1; items[postedTerms+strconv.Itoa(v)] != ""; v++ {
		_, text, _ := strings.Cut(items[postedTerms+strconv.Itoa(v)], " ")
		b.Terms = append(b.Terms, text)
	}
	return b, nil
}

// unpost parts an item into its number and its text.
func unpost(item string) (number int64, text string, err error) {
	head, text, _ := strings.Cut(item, " ")
	number, err = strconv.ParseInt(head, 10, 64)
	return number, text, err
}

// repost puts back what Redis has lost of a board.
func (s *Store) repost(ctx context.Context, sale ropeline.SaleID, b *Board) error {
	args := make([]any, 0, 1+2*len(b.items))
	args = append(args, b.Number)
	for what, item := range b.items {
		args = append(args, what, item)
	}
	_, err := s.run(ctx, repostScript, keysOf(sale, "state", "board"), args...)
	return err
}

// board keeps what is posted with a view. A number that is lower than the one
// known here means that Redis has lost something of it. showing is held.
func (l *Line) board(ctx context.Context, v *View) error {
	known := l.posted
	switch {
	case v.Posted > known.Number:
		b, err := l.store.Board(ctx, l.sale)
		if err != nil {
			return err
		}
		b.Number = max(b.Number, v.Posted)
		l.posted = b
	case v.Posted < known.Number:
		if err := l.store.repost(ctx, l.sale, known); err != nil {
			return err
		}
	}
	v.Board = l.posted
	return nil
}
