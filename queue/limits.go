package queue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/ropeline/ropeline"
)

// Limits are what an SRE steers of a sale while it runs. They outlive new
// versions of its document.
type Limits struct {
	Cap     int64            `json:"cap"`  // people offered or admitted at any instant
	Rate    int64            `json:"rate"` // people offered per minute
	Mode    ropeline.Mode    `json:"mode"`
	Reason  string           `json:"reason"`           // of a mode other than run; the fans are shown that of a pause
	Session ropeline.Seconds `json:"session"`          // from claim to the end, of sessions that begin
	Claim   ropeline.Seconds `json:"claim"`            // to claim an offer, of those that are made
	Auto    string           `json:"auto,omitempty"`   // settings of the automatic mode, JSON; "" for none
	Shares  string           `json:"shares,omitempty"` // of the lanes beside the main one, JSON; "" where there are none
	Bounds
	Version int64     `json:"version"`          // rises with every change
	Stopped time.Time `json:"stopped,omitzero"` // since when, in mode stop: the clock of turns stands still
}

// Bounds hold every change of cap and rate: a person's, a planned one and the
// automatic mode's.
type Bounds struct {
	MinCap  int64 `json:"min_cap"`
	MaxCap  int64 `json:"max_cap"`
	MinRate int64 `json:"min_rate"`
	MaxRate int64 `json:"max_rate"`
}

// Proof is what shows that the cap holds, of the stretch of time in which this
// limit does.
type Proof struct {
	Limit int64     `json:"limit"`      // Unlimited in mode pass
	Since time.Time `json:"since"`      // by Redis's clock
	From  int64     `json:"from"`       // how many were in use when the stretch began, or may have been
	Most  int64     `json:"max_active"` // the most offered and active since
}

// Unlimited is the limit where everybody passes.
const Unlimited = -1

// Holds reports whether never more were in use than the limit allows; a limit
// that was lowered allows for those who were inside already.
func (p Proof) Holds() bool { return p.Limit == Unlimited || p.Most <= max(p.Limit, p.From) }

// readLimits reads the end of what describe in prelude.lua returns.
func readLimits(r *reader) Limits {
	return Limits{
		Cap: r.integer(), Rate: r.integer(), Mode: ropeline.Mode(r.text()), Reason: r.text(),
		Session: ropeline.Seconds(r.integer()), Claim: ropeline.Seconds(r.integer()), Auto: r.text(), Shares: r.text(),
		Bounds:  Bounds{r.integer(), r.integer(), r.integer(), r.integer()},
		Version: r.integer(), Stopped: milli(r.integer()),
	}
}

// written is the limits as the hash in Redis has them, the version first. Times
// and shares that are the document's stay so.
func (l Limits) written(doc ropeline.Sale) []any {
	args := []any{"version", l.Version, "cap", l.Cap, "rate", l.Rate, "mode", string(l.Mode), "reason", l.Reason, "auto", l.Auto,
		"min_cap", l.MinCap, "max_cap", l.MaxCap, "min_rate", l.MinRate, "max_rate", l.MaxRate}
	if l.Session != doc.SessionMax {
		args = append(args, "session", int64(l.Session))
	}
	if l.Claim != doc.ClaimWindow {
		args = append(args, "claim", int64(l.Claim))
	}
	if l.Shares != "" && l.Shares != documentShares(doc) {
		args = append(args, "shares", l.Shares)
	}
	if !l.Stopped.IsZero() {
		args = append(args, "stopped", l.Stopped.UnixMilli())
	}
	return args
}

// Settings are some of a sale's limits; those that are nil are not meant.
type Settings struct {
	Cap     *int64            `json:"cap,omitempty"`
	Rate    *int64            `json:"rate,omitempty"`
	Mode    *ropeline.Mode    `json:"mode,omitempty"`
	Session *ropeline.Seconds `json:"session,omitempty"`
	Claim   *ropeline.Seconds `json:"claim,omitempty"`
	MinCap  *int64            `json:"min_cap,omitempty"`
	MaxCap  *int64            `json:"max_cap,omitempty"`
	MinRate *int64            `json:"min_rate,omitempty"`
	MaxRate *int64            `json:"max_rate,omitempty"`
	Auto    json.RawMessage   `json:"auto,omitempty"`   // JSON null for none
	Shares  map[string]int64  `json:"shares,omitempty"` // of all lanes beside the main one, which has the rest of 100

	// Version may be expected, not set: that nothing has been changed.
	Version *int64 `json:"version,omitempty"`
}

// AllSettings are the names of all settings, and of the version.
var AllSettings = []string{"cap", "rate", "mode", "session", "claim", "auto", "shares", "min_cap", "max_cap", "min_rate", "max_rate", "version"}

// Of returns those of the settings that are named, as the limits have them.
func (l Limits) Of(fields []string) Settings {
	auto := json.RawMessage(l.Auto)
	if l.Auto == "" {
		auto = json.RawMessage("null")
	}
	all := Settings{Cap: &l.Cap, Rate: &l.Rate, Mode: &l.Mode, Session: &l.Session, Claim: &l.Claim,
		MinCap: &l.MinCap, MaxCap: &l.MaxCap, MinRate: &l.MinRate, MaxRate: &l.MaxRate, Auto: auto, Version: &l.Version}
	values := all.values()
	if l.Shares != "" {
		values["shares"] = l.Shares
	}
	maps.DeleteFunc(values, func(field, _ string) bool { return !slices.Contains(fields, field) })
	return settingsOf(values)
}

// Fields are the names of the settings that are meant, sorted.
func (s Settings) Fields() []string { return slices.Sorted(maps.Keys(s.values())) }

// values are the settings that are meant, as the hash in Redis has them.
func (s Settings) values() map[string]string {
	text, err := json.Marshal(s)
	raw := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(text, &raw)
	}
	if err != nil {
		return nil // auto is no JSON; check says so
	}
	values := map[string]string{}
	for field, value := range raw {
		switch {
		case field == "mode":
			values[field] = string(*s.Mode)
		case string(value) == "null":
			values[field] = ""
		default:
			var compact bytes.Buffer
			_ = json.Compact(&compact, value) // it is JSON: it was just unmarshaled
			values[field] = compact.String()
		}
	}
	return values
}

// settingsOf is the opposite of values.
func settingsOf(values map[string]string) Settings {
	raw := map[string]json.RawMessage{}
	for field, value := range values {
		switch {
		case field == "mode":
			value = strconv.Quote(value)
		case value == "":
			value = "null"
		}
		raw[field] = json.RawMessage(value)
	}
	var s Settings
	if text, err := json.Marshal(raw); err == nil {
		_ = json.Unmarshal(text, &s) // what values wrote
	}
	return s
}

// The longest times that can be set: longer ones are a slip of the hand.
const (
	longestSession ropeline.Seconds = 24 * 3600
	longestClaim   ropeline.Seconds = 3600
	longestAuto                     = 4096 // bytes
)

// byName goes through a map by its keys, so that of two wrong values the same one
// is named each time.
func byName[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// Check names the first setting that no sale can have.
func (s Settings) Check() error {
	if len(s.Fields()) == 0 {
		return with("Nothing is given to be changed.", ErrSettingInvalid)
	}
	if s.Version != nil {
		return with("Version cannot be set.", ErrSettingInvalid)
	}
	for field, value := range byName(map[string]*int64{"cap": s.Cap, "min_cap": s.MinCap, "max_cap": s.MaxCap}) {
		if value != nil && (*value < 0 || *value > ropeline.MaxCap) {
			return with(fmt.Sprintf("%s is %d, and must lie between 0 and %d.", field, *value, int64(ropeline.MaxCap)), ErrSettingInvalid)
		}
	}
	for field, value := range byName(map[string]*int64{"rate": s.Rate, "min_rate": s.MinRate, "max_rate": s.MaxRate}) {
		if value != nil && (*value < 0 || *value > ropeline.MaxRate) {
			return with(fmt.Sprintf("%s is %d a minute, and must lie between 0 and %d.", field, *value, int64(ropeline.MaxRate)), ErrSettingInvalid)
		}
	}
	rest := int64(100)
	for lane, share := range byName(s.Shares) {
		if rest -= share; share < 1 || rest < 1 {
			return with(fmt.Sprintf("Lane %s has a share of %d: each must be at least 1 and leave as much to the main lane.", lane, share), ErrSettingInvalid)
		}
	}
	switch {
	case s.Mode != nil && !s.Mode.Known():
		return with(fmt.Sprintf("Mode %q is none of run, pause, drain, queue, pass and stop.", *s.Mode), ErrSettingInvalid)
	case s.Session != nil && (*s.Session < ropeline.MinTokenLife || *s.Session > longestSession):
		return with(fmt.Sprintf("Session is %d s, and must lie between %d and %d.", *s.Session, ropeline.MinTokenLife, longestSession), ErrSettingInvalid)
	case s.Claim != nil && (*s.Claim < 1 || *s.Claim > longestClaim):
		return with(fmt.Sprintf("Claim is %d s, and must lie between 1 and %d.", *s.Claim, longestClaim), ErrSettingInvalid)
	case len(s.Auto) > longestAuto || s.Auto != nil && !json.Valid(s.Auto):
		return with("Auto is no JSON of at most 4 KB.", ErrSettingInvalid)
	}
	return nil
}

// What a change is refused with.
var (
	ErrSettingInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "setting-invalid", Detail: "A setting is invalid."}

	// ErrLimitsChanged means that somebody else changed the limits meanwhile.
	ErrLimitsChanged = &ropeline.Error{Kind: ropeline.Conflict, Code: "limits-changed",
		Detail: "Somebody else changed the limits meanwhile. Look at the new values and try again."}

	// ErrOutOfBounds refuses a change that passes the bounds of the sale.
	ErrOutOfBounds = &ropeline.Error{Kind: ropeline.Conflict, Code: "out-of-bounds", Detail: "The sale's bounds do not allow this."}

	// ErrSaleStopped is what a claim or a renewal hears while the sale is stopped.
	ErrSaleStopped = &ropeline.Error{Kind: ropeline.Unavailable, Code: "sale-stopped", RetryAfter: 5 * time.Second,
		Detail: "The sale is stopped for the moment. Your place and your time in the shop are kept."}
)

// with is an error with a detail of its own.
func with(detail string, e *ropeline.Error) error {
	c := *e
	c.Detail = detail
	return &c
}
