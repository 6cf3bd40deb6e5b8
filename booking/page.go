package booking

import "github.com/ropeline/ropeline"

// Page is which part of a list is wanted.
type Page struct {
	Cursor string // of the page before; empty: the first
	Limit  int    // 0: PageSize
}

// How long a page is if nobody says, and at most.
const (
	PageSize = 50
	PageMost = 200
)

// ErrPage refuses a cursor that no page gave, or a limit out of range.
var ErrPage = &ropeline.Error{Kind: ropeline.Invalid, Code: "page-invalid", Detail: "There is no such page: take the cursor from the page before, and a limit from 1 to 200."}

// Size is how many a page has at most. Whoever reads it asks for one more, and
// gives both to Cut.
func (p Page) Size() (int, error) {
	switch {
	case p.Limit == 0:
		return PageSize, nil
	case p.Limit < 0 || p.Limit > PageMost:
		return 0, ErrPage
	}
	return p.Limit, nil
}

// After is the id that the page begins behind, nil for the first page.
func (p Page) After() (*string, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	if !IsID(p.Cursor) {
		return nil, ErrPage
	}
	return &p.Cursor, nil
}

// Cut ends a list that was asked for one more than the page has; next is the
// cursor after the last, empty if there is no more.
func Cut[T any](list []T, size int, cursor func(T) string) (page []T, next string) {
	if len(list) <= size {
		return list, ""
	}
	return list[:size], cursor(list[size-1])
}
