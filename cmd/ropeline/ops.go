package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// opsCommand steers sales through the staff's API of an edge. It ends with 3
// where somebody else was faster, so that a script can look again.
type opsCommand struct {
	opsClient

	Status   opsStatus   `cmd:"" help:"Show sales as they are now."`
	Set      opsSet      `cmd:"" help:"Change cap, rate, times, bounds or the lanes' shares of a sale."`
	Pause    opsMode     `cmd:"" help:"Offer nobody; open offers may be claimed."`
	Resume   opsMode     `cmd:"" help:"Admit as cap and rate allow."`
	Drain    opsMode     `cmd:"" help:"Let nobody join any more; whoever waits is still let in."`
	Queue    opsMode     `cmd:"" help:"Let everybody wait, those too whom a rule lets pass."`
	Pass     opsMode     `cmd:"" help:"Let everybody in at once: cap and rate do not hold."`
	Stop     opsMode     `cmd:"" help:"Stop the sale: gates let nobody pass. Turns and sessions go on afterwards."`
	Message  opsMessage  `cmd:"" help:"Tell everybody who waits something, in their language."`
	Terms    opsTerms    `cmd:"" help:"Look at the terms of a sale, and publish a new version."`
	Schedule opsSchedule `cmd:"" help:"Plan changes ahead of time."`
	Presets  opsPresets  `cmd:"" help:"Sets of limits with a name."`
	Revoke   opsRevoke   `cmd:"" help:"End somebody's session; every gate knows within a second."`
	Beacon   opsBeacon   `cmd:"" help:"Enter the value of a beacon that Ropeline cannot reach."`
	Edges    opsEdges    `cmd:"" help:"Show what each edge last said of itself."`
	Blocks   opsBlocks   `cmd:"" help:"Show who may not buy for a while; block somebody, or lift a block."`
	Webhooks opsWebhooks `cmd:"" help:"Tell integrators of what happens: addresses, their secrets, and what was delivered."`
	Payments opsPayments `cmd:"" help:"Show payments that did not come together with their tickets, and disputes."`
	History  opsHistory  `cmd:"" help:"Show the last quarter of an hour of a sale, by the second."`
	Reentry  opsReentry  `cmd:"" help:"Let somebody whom the shop failed come in again without standing in line."`
	Audit    opsAudit    `cmd:"" help:"Show who did what, and why."`
}

// liveSale is what the staff's API says of a sale.
type liveSale struct {
	Sale  ropeline.SaleID `json:"sale"`
	Title string          `json:"title"`
	Phase ropeline.Phase  `json:"phase"`
	queue.Limits
	Auto     json.RawMessage `json:"auto"`
	Shares   json.RawMessage `json:"shares"`
	Proof    queue.Proof     `json:"proof"`
	Holds    bool            `json:"holds"`
	Waiting  int64           `json:"waiting"`
	Offered  int64           `json:"offered"`
	Active   int64           `json:"active"`
	Admitted int64           `json:"admitted_last_minute"`
	Now      time.Time       `json:"now"`

	Problem *ropeline.Problem `json:"problem"` // why it cannot be read; then there is no more
}

// seen is what is expected of the settings that a change is about.
func (l liveSale) seen(fields []string) queue.Settings {
	l.Limits.Auto, l.Limits.Shares = string(l.Auto), string(l.Shares)
	return l.Of(fields)
}

type opsStatus struct {
	Sale  string        `arg:"" optional:"" help:"Only this one."`
	Watch bool          `help:"Go on showing until it is interrupted."`
	Every time.Duration `default:"1s" help:"How often, with --watch; 200ms or more."`
	JSON  bool          `name:"json" help:"A JSON document a line."`
}

func (c *opsStatus) Run(ctx context.Context, con console, api *opsClient) error {
	if c.Every < 200*time.Millisecond {
		return errors.New("--every: 200ms or more")
	}
	for {
		sales, err := api.sales(ctx, c.Sale)
		if ctx.Err() != nil && c.Watch {
			return nil
		}
		if err == nil {
			err = c.print(con.out, sales)
		}
		if err != nil || !c.Watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

func (c *opsStatus) print(out io.Writer, sales []json.RawMessage) error {
	if c.JSON {
		for _, s := range sales {
			if _, err := fmt.Fprintf(out, "%s\n", s); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SALE\tPHASE\tMODE\tWAITING\tOFFERED\tACTIVE\tCAP\tMAX\tRATE\tLAST MIN\tREASON")
	for _, raw := range sales {
		var s liveSale
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("reading a sale: %w", err)
		}
		if s.Problem != nil {
			fmt.Fprintf(table, "%s\tunread\t\t\t\t\t\t\t\t\t%s: %s\n", s.Sale, strings.TrimPrefix(s.Problem.Type, ropeline.ProblemType), s.Problem.Detail)
			continue
		}
		proof := fmt.Sprint(s.Proof.Most)
		if !s.Holds {
			proof += " ABOVE THE CAP"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%d/min\t%d\t%s\n",
			s.Sale, s.Phase, s.Mode, s.Waiting, s.Offered, s.Active, s.Cap, proof, s.Rate, s.Admitted, s.Reason)
	}
	return table.Flush()
}

// opsSettings are settings as flags.
type opsSettings struct {
	Cap     *int64           `help:"People offered or admitted at any instant."`
	Rate    *int64           `help:"People offered per minute."`
	Session *time.Duration   `help:"From claim to the end, of sessions that begin."`
	Claim   *time.Duration   `help:"To claim an offer."`
	MinCap  *int64           `help:"No change lowers the cap below this."`
	MaxCap  *int64           `help:"No change raises it above."`
	MinRate *int64           `help:"No change lowers the rate below this."`
	MaxRate *int64           `help:"No change raises it above."`
	Auto    string           `placeholder:"JSON" help:"Settings of the automatic mode; null for none."`
	Share   map[string]int64 `placeholder:"LANE=N" help:"Of 100 turns those of a lane; the main one has what the others leave. Repeat it for more lanes: all of them in a plan."`
}

func (s opsSettings) settings() (set queue.Settings, err error) {
	seconds := func(d *time.Duration) *ropeline.Seconds {
		if d == nil {
			return nil
		}
		return new(ropeline.Seconds(d.Seconds()))
	}
	set = queue.Settings{Cap: s.Cap, Rate: s.Rate, Session: seconds(s.Session), Claim: seconds(s.Claim),
		MinCap: s.MinCap, MaxCap: s.MaxCap, MinRate: s.MinRate, MaxRate: s.MaxRate, Shares: s.Share}
	if s.Auto != "" {
		if !json.Valid([]byte(s.Auto)) {
			return set, errors.New("--auto: not JSON")
		}
		set.Auto = json.RawMessage(s.Auto)
	}
	return set, nil
}

// opsWhy is why somebody steers.
type opsWhy struct {
	Reason string            `required:"" help:"Why; it goes into the audit. Fans see that of a pause, a queue and a stop, unless --public is given."`
	Public map[string]string `placeholder:"LANG=TEXT" mapsep:"none" help:"The reason in words for everybody, in a language (BCP 47); repeat it for each. Then --reason is for the staff alone."`
}

// with puts it into the body of a request.
func (c opsWhy) with(body map[string]any) map[string]any {
	body["reason"] = c.Reason
	if len(c.Public) > 0 {
		body["public_reason"] = c.Public
	}
	return body
}

type opsSet struct {
	Sale string `arg:"" help:"Which sale."`
	opsSettings
	opsWhy
}

func (c *opsSet) Run(ctx context.Context, con console, api *opsClient) error {
	set, err := c.settings()
	if err != nil {
		return err
	}
	if len(set.Fields()) == 0 {
		return errors.New("give --cap, --rate or another value to set")
	}
	return api.steer(ctx, con.out, c.Sale, set, c.opsWhy)
}

type opsMode struct {
	Sale string `arg:"" help:"Which sale."`
	opsWhy
}

func (c *opsMode) Run(ctx context.Context, con console, api *opsClient, called modeCalled) error {
	mode := ropeline.Mode(called)
	if called == "resume" {
		mode = ropeline.ModeRun
	}
	return api.steer(ctx, con.out, c.Sale, queue.Settings{Mode: &mode}, c.opsWhy)
}

// modeCalled is the word by which opsMode was called.
type modeCalled string

type opsTerms struct {
	Show    opsTermsShow    `cmd:"" help:"Show which version holds, and what the next would change."`
	Publish opsTermsPublish `cmd:"" help:"Make what the database says the next version."`
}

type opsSchedule struct {
	List   opsScheduleList   `cmd:"" help:"Show what is planned, and what of it was made in the last day."`
	Add    opsScheduleAdd    `cmd:"" help:"Plan a change."`
	Cancel opsScheduleCancel `cmd:"" help:"Take a change off the schedule."`
}

// planned is a change on the schedule.
type planned struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Set    json.RawMessage `json:"set"`
	Reason string          `json:"reason"`
	Who    string          `json:"who"`
	State  string          `json:"state"`
	Why    string          `json:"why"`
}

type opsScheduleList struct {
	Sale string `arg:"" help:"Which sale."`
}

func (c *opsScheduleList) Run(ctx context.Context, con console, api *opsClient) error {
	var doc struct {
		Planned []planned `json:"planned"`
	}
	if err := api.call(ctx, "GET", salePath(c.Sale)+"/schedule", nil, &doc); err != nil {
		return err
	}
	table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AT\tSTATE\tWHO\tCHANGE\tREASON\tID")
	for _, p := range doc.Planned {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", p.At.Format(time.RFC3339), strings.TrimSpace(p.State+" "+p.Why), p.Who, p.Set, p.Reason, p.ID)
	}
	return table.Flush()
}

type opsScheduleAdd struct {
	Sale   string `arg:"" help:"Which sale."`
	At     string `required:"" placeholder:"TIME" help:"When: RFC 3339, or from now on as +10m."`
	Mode   string `enum:",run,pause,drain,queue,pass,stop" default:"" help:"How to admit then."`
	Preset string `help:"A preset instead."`
	opsSettings
	opsWhy
}

func (c *opsScheduleAdd) Run(ctx context.Context, con console, api *opsClient) error {
	at, err := time.Parse(time.RFC3339, c.At)
	if in, relative := strings.CutPrefix(c.At, "+"); relative {
		var d time.Duration
		d, err = time.ParseDuration(in)
		at = time.Now().Add(d)
	}
	if err != nil {
		return fmt.Errorf("--at %s: want a time as 2026-12-01T18:00:00Z, or +10m", c.At)
	}
	set, err := c.settings()
	if err != nil {
		return err
	}
	if c.Mode != "" {
		set.Mode = new(ropeline.Mode(c.Mode))
	}
	var p planned
	body := c.with(map[string]any{"at": at.UTC(), "set": set, "preset": c.Preset})
	if err := api.call(ctx, "POST", salePath(c.Sale)+"/schedule", body, &p); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "planned for %s: %s\nid %s\n", p.At.Format(time.RFC3339), p.Set, p.ID)
	return err
}

type opsScheduleCancel struct {
	Sale   string `arg:"" help:"Which sale."`
	ID     string `arg:"" help:"Which change."`
	Reason string `required:"" help:"Why; it goes into the audit."`
}

func (c *opsScheduleCancel) Run(ctx context.Context, con console, api *opsClient) error {
	if err := api.call(ctx, "POST", salePath(c.Sale)+"/schedule/"+url.PathEscape(c.ID)+"/cancel", map[string]any{"reason": c.Reason}, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.out, "canceled")
	return err
}

type opsAudit struct {
	Sale   string `arg:"" help:"Which sale."`
	Limit  int    `default:"50" help:"How many rows, the newest first; 500 at most."`
	Before int64  `help:"Go on before the row of this id."`
	JSON   bool   `name:"json" help:"A JSON document a line."`
}

func (c *opsAudit) Run(ctx context.Context, con console, api *opsClient) error {
	path := fmt.Sprintf("%s/audit?limit=%d", salePath(c.Sale), c.Limit)
	if c.Before > 0 {
		path += fmt.Sprintf("&before=%d", c.Before)
	}
	var page struct {
		Rows []json.RawMessage `json:"rows"`
		Next int64             `json:"next"`
	}
	if err := api.call(ctx, "GET", path, nil, &page); err != nil {
		return err
	}
	table := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	for _, raw := range page.Rows {
		if c.JSON {
			fmt.Fprintf(con.out, "%s\n", raw)
			continue
		}
		var row struct {
			ID                             int64
			At                             time.Time
			Kind, Action, Who, Via, Reason string
			Detail                         json.RawMessage
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return fmt.Errorf("reading an audit row: %w", err)
		}
		who := row.Who
		if row.Via != "" {
			who += " by " + row.Via
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", row.ID, row.At.Format(time.RFC3339), who, row.Kind, row.Action, row.Reason, row.Detail)
	}
	if err := table.Flush(); err != nil || page.Next == 0 || c.JSON {
		return err
	}
	_, err := fmt.Fprintf(con.out, "older ones: --before %d\n", page.Next)
	return err
}
