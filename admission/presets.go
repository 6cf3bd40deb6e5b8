package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// Preset is a set of limits with a name, for any sale.
type Preset struct {
	Name    string         `json:"name"`
	Note    string         `json:"note"`
	Share   int64          `json:"share,omitempty"` // percent of the cap and rate of the sale's document; 0 for neither
	Set     queue.Settings `json:"set,omitzero"`
	BuiltIn bool           `json:"built_in,omitempty"`
	Who     string         `json:"who,omitempty"`
}

// builtIn are there without a database.
var builtIn = []Preset{
	{Name: "drain", Note: "Before maintenance: nobody joins any more, whoever waits is still let in.", Set: queue.Settings{Mode: new(ropeline.ModeDrain)}, BuiltIn: true},
	{Name: "full", Note: "Cap and rate as the sale's document has them.", Share: 100, Set: queue.Settings{Mode: new(ropeline.ModeRun)}, BuiltIn: true},
	{Name: "gentle", Note: "A tenth of cap and rate, to see how the shop takes it.", Share: 10, Set: queue.Settings{Mode: new(ropeline.ModeRun)}, BuiltIn: true},
}

// of is what a preset sets for a sale.
func (p Preset) of(sale ropeline.Sale) queue.Settings {
	set := p.Set
	if p.Share > 0 {
		part := func(of int64) *int64 { return new((of*p.Share + 99) / 100) } // a tenth of five people is one
		set.Cap, set.Rate = part(sale.Cap), part(sale.Rate)
	}
	return set
}

var (
	errPresetInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "preset-invalid",
		Detail: "A preset has a name of lower-case letters, digits, dots and hyphens that is not built in, a note of at most 200 characters, and a share of 0 to 100 percent or limits to set."}
	errPresetUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "preset-unknown", Detail: "There is no preset of this name."}
	errPresetsFull   = &ropeline.Error{Kind: ropeline.Conflict, Code: "presets-full", Detail: "There are 100 presets already. Remove one first."}
)

const mostPresets = 100

func (p Preset) check() error {
	isBuiltIn := slices.ContainsFunc(builtIn, func(b Preset) bool { return b.Name == p.Name })
	if !staffWord.MatchString(p.Name) || isBuiltIn || len([]rune(p.Note)) > 200 || p.Share < 0 || p.Share > 100 || p.Share == 0 && len(p.Set.Fields()) == 0 {
		return errPresetInvalid
	}
	if p.Share > 0 && (p.Set.Cap != nil || p.Set.Rate != nil) {
		return errPresetInvalid
	}
	if len(p.Set.Fields()) == 0 {
		return nil
	}
	return checkSettings(p.Set)
}

// presets are those of the staff, in Postgres.
type presets struct{ db *pgxpool.Pool }

func (p presets) list(ctx context.Context) ([]Preset, error) {
	if p.db == nil {
		return builtIn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, auditPatience)
	defer cancel()
	found, err := p.db.Query(ctx, `select name, note, share, settings, who from ops_presets`)
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading presets: %w", err))
	}
	own, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (preset Preset, err error) {
		var set []byte
		if err := r.Scan(&preset.Name, &preset.Note, &preset.Share, &set, &preset.Who); err != nil {
			return preset, err
		}
		return preset, json.Unmarshal(set, &preset.Set)
	})
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading presets: %w", err))
	}
	all := slices.Concat(builtIn, own)
	slices.SortFunc(all, func(a, b Preset) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// find returns a preset. The built-in ones need no database.
func (p presets) find(ctx context.Context, name string) (Preset, error) {
	named := func(of Preset) bool { return of.Name == name }
	if i := slices.IndexFunc(builtIn, named); i >= 0 {
		return builtIn[i], nil
	}
	all, err := p.list(ctx)
	if err != nil {
		return Preset{}, err
	}
	i := slices.IndexFunc(all, named)
	if i < 0 {
		return Preset{}, errPresetUnknown
	}
	return all[i], nil
}

func (p presets) save(ctx context.Context, preset Preset) error {
	if p.db == nil {
		return ropeline.ErrStoreAway.Because(errNoDatabase)
	}
	set, err := json.Marshal(preset.Set)
	if err != nil {
		return fmt.Errorf("writing a preset: %w", err)
	}
	tag, err := p.db.Exec(ctx, `
		insert into ops_presets (name, note, share, settings, who)
		select $1, $2, $3, $4, $5 where (select count(*) from ops_presets where name <> $1) < $6
		on conflict (name) do update set note = excluded.note, share = excluded.share, settings = excluded.settings,
			who = excluded.who, updated_at = now()`, preset.Name, preset.Note, preset.Share, set, preset.Who, mostPresets)
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("saving a preset: %w", err))
	}
	if tag.RowsAffected() == 0 {
		return errPresetsFull
	}
	return nil
}

func (p presets) remove(ctx context.Context, name string) error {
	if p.db == nil {
		return ropeline.ErrStoreAway.Because(errNoDatabase)
	}
	tag, err := p.db.Exec(ctx, `delete from ops_presets where name = $1`, name)
	if err != nil {
		return ropeline.ErrStoreAway.Because(fmt.Errorf("removing a preset: %w", err))
	}
	if tag.RowsAffected() == 0 {
		return errPresetUnknown
	}
	return nil
}

func (o *Ops) listPresets(w http.ResponseWriter, r *http.Request) error {
	all, err := o.presets.list(r.Context())
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, struct {
		Presets []Preset `json:"presets"`
	}{all})
}

func (o *Ops) savePreset(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Note   string         `json:"note"`
		Share  int64          `json:"share"`
		Set    queue.Settings `json:"set"`
		Reason string         `json:"reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	preset := Preset{Name: r.PathValue("name"), Note: body.Note, Share: body.Share, Set: body.Set, Who: member(r).Name}
	if err := preset.check(); err != nil {
		return err
	}
	err := o.audited(r, act{action: "save preset", reason: body.Reason, wanted: preset,
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			return struct{}{}, time.Time{}, o.presets.save(ctx, preset)
		}})
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, preset)
}

func (o *Ops) removePreset(w http.ResponseWriter, r *http.Request) error {
	reason, err := readReason(w, r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	err = o.audited(r, act{action: "remove preset", reason: reason, wanted: map[string]string{"name": name},
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			return struct{}{}, time.Time{}, o.presets.remove(ctx, name)
		}})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
