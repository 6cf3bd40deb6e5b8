package auto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"github.com/ropeline/ropeline"
)

// Settings are what an SRE sets of the automatic mode of a sale. The bounds of its
// rate are the sale's (min_rate, max_rate).
type Settings struct {
	On       bool    `json:"on"`
	TargetMS int64   `json:"target_ms"`           // a request that takes longer is slow
	Slow     float64 `json:"slow"`                // share of the requests that may be slow
	Errors   float64 `json:"errors"`              // share of the answers that may be errors of the server
	InFlight int64   `json:"in_flight,omitempty"` // requests under way in the whole shop; 0: not looked at
}

// Fallbacks are what a setting is that is not given.
var fallback = Settings{TargetMS: 300, Slow: 0.05, Errors: 0.02}

// target is in seconds.
func (s Settings) target() float64 { return float64(s.TargetMS) / 1000 }

// ErrInvalid names a setting that cannot be.
var ErrInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "auto-invalid", Detail: "The settings of the automatic mode are invalid."}

// Parse reads settings as JSON; nothing, or null, is off. Names that it does not
// know are refused: a slip of the pen would steer by something else.
func Parse(text []byte) (Settings, error) {
	s := fallback
	if text = bytes.TrimSpace(text); len(text) == 0 || string(text) == "null" {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || d.More() {
		return fallback, refuse(fmt.Sprintf("They are not read: %v.", err))
	}
	switch {
	case s.TargetMS < 1 || s.TargetMS > 60_000:
		return fallback, refuse(fmt.Sprintf("target_ms is %d, and must lie between 1 and 60000.", s.TargetMS))
	case !(s.Slow > 0 && s.Slow <= 0.5):
		return fallback, refuse(fmt.Sprintf("slow is %v, and must lie above 0 and be at most 0.5.", s.Slow))
	case !(s.Errors > 0 && s.Errors <= 0.5):
		return fallback, refuse(fmt.Sprintf("errors is %v, and must lie above 0 and be at most 0.5.", s.Errors))
	case s.InFlight < 0 || s.InFlight > 1_000_000:
		return fallback, refuse(fmt.Sprintf("in_flight is %d, and must lie between 0 and 1000000.", s.InFlight))
	}
	return s, nil
}

func refuse(detail string) error {
	e := *ErrInvalid
	e.Detail += " " + detail
	return &e
}

// finite is x, or 0 where it is no number or less than none.
func finite(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
