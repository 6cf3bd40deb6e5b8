package look

import (
	"encoding/json"
	"fmt"

	"github.com/ropeline/ropeline"
)

// Posted is a look as edges are told of it, with the logo in it: an edge needs nobody
// else to show a page.
type Posted struct {
	Version int         `json:"version"`
	Title   string      `json:"title"` // the sale's
	Look    Look        `json:"look"`
	Logo    *PostedLogo `json:"logo,omitempty"`
}

// PostedLogo is a logo, drawn.
type PostedLogo struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	JPEG   []byte `json:"jpeg"`
}

// Index says of each sale that has a look which version is the newest, and on which
// domains it is shown.
type Index map[ropeline.SaleID]Entry

// Entry is a sale's in the index.
type Entry struct {
	Version int      `json:"version"`
	Domains []string `json:"domains,omitempty"`
}

// ParseIndex reads an index.
func ParseIndex(text []byte) (Index, error) {
	var i Index
	if err := json.Unmarshal(text, &i); err != nil {
		return nil, fmt.Errorf("reading the index of looks: %w", err)
	}
	return i, nil
}

// ParsePosted reads a look that was posted, and checks it anew: an edge shows nothing
// that another version of us would not take in.
func ParsePosted(text []byte) (Posted, error) {
	var p Posted
	if err := json.Unmarshal(text, &p); err != nil {
		return Posted{}, fmt.Errorf("reading a look: %w", err)
	}
	return p, p.Look.Validate()
}
