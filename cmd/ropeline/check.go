package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/inventory"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/returns"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/migrations"
)

type checkCommand struct {
	Installation checkInstallation `cmd:"" default:"withargs" help:"Look at Redis, Postgres and the keys (the default)."`
	Inventory    checkInventory    `cmd:"" help:"Compare the inventory in Redis with what Postgres has sold."`
	Ledger       checkLedger       `cmd:"" help:"Compare orders with their ledger, to the cent."`
	Routes       checkRoutes       `cmd:"" help:"Read a file of routes, and say which rule an address meets."`
}

type checkInstallation struct {
	Redis    string    `placeholder:"URL" help:"Redis to look at."`
	Postgres string    `placeholder:"DSN" help:"Database to look at."`
	Keys     keyFolder `placeholder:"DIR" help:"Folder of keys to look at."`

	StripeKey            string `placeholder:"FILE" help:"File with Stripe's key to look at."`
	StripeWebhookSecrets string `placeholder:"FILE" help:"File with the secrets of Stripe's webhook to look at."`
}

// checkTimeout bounds each look: a server that takes longer is not there.
const checkTimeout = 10 * time.Second

func (c *checkInstallation) Run(ctx context.Context, con console) error {
	looks := []struct {
		name, at string
		look     func(context.Context) (string, error)
	}{
		{"redis", c.Redis, c.redis},
		{"postgres", c.Postgres, c.postgres},
		{"keys", string(c.Keys), c.keys},
		{"stripe", c.StripeKey + c.StripeWebhookSecrets, c.stripe},
	}
	var failed, looked bool
	for _, l := range looks {
		if l.at == "" {
			continue
		}
		looked = true
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		found, err := l.look(ctx)
		cancel()
		if err != nil {
			failed = true
			fmt.Fprintf(con.out, "error  %s: %v\n", l.name, err)
		} else {
			fmt.Fprintf(con.out, "ok     %s: %s\n", l.name, found)
		}
	}
	if !looked {
		return errors.New("nothing to check: give --redis, --postgres, --keys or --stripe-key")
	}
	if failed {
		return errReported
	}
	return nil
}

func (c *checkInstallation) redis(ctx context.Context) (found string, err error) {
	rdb, err := dial.Redis(c.Redis)
	if err != nil {
		return "", err
	}
	defer closing(&err, rdb)
	masters, skew, err := dial.Skew(ctx, rdb)
	if err != nil {
		return "", fmt.Errorf("it does not answer: %w", err)
	}
	if err := dial.EachMaster(ctx, rdb, neverEvicts); err != nil {
		return "", err
	}
	if masters > 1 {
		return fmt.Sprintf("%d masters answer and never evict; their clocks are %v apart at most", masters, skew.Round(10*time.Microsecond)), nil
	}
	return "it answers and never evicts", nil
}

func neverEvicts(ctx context.Context, rdb redis.UniversalClient) error {
	settings, err := rdb.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		return fmt.Errorf("asking for maxmemory-policy: %w", err)
	}
	if policy := settings["maxmemory-policy"]; policy != "noeviction" {
		return fmt.Errorf("maxmemory-policy is %s, so places could silently vanish; set it to noeviction", policy)
	}
	return nil
}

func (c *checkInstallation) postgres(ctx context.Context) (string, error) {
	pending, err := migrations.Pending(ctx, c.Postgres)
	if err != nil {
		return "", err
	}
	if pending {
		return "", errors.New("the database is behind this program; run: ropeline migrate")
	}
	return "it answers and is migrated", nil
}

func (c *checkInstallation) keys(context.Context) (string, error) {
	var errs []error
	for _, name := range []string{placeKey, seedKey, orderKey} {
		_, err := c.Keys.secret(name)
		errs = append(errs, err, c.private(name))
	}
	if _, err := os.Stat(c.Keys.path(peopleKey)); err == nil { // folders that are older have none
		_, err := c.Keys.people()
		errs = append(errs, err, c.private(peopleKey))
	}
	if _, err := os.Stat(c.Keys.path(ticketKey)); err == nil { // and these
		_, err := c.Keys.tickets()
		errs = append(errs, err, c.private(ticketKey))
	}
	signer, unread := c.Keys.admission()
	errs = append(errs, unread, c.private(admissionKey))
	trusted, err := token.LoadKeySet(c.Keys.path(admissionPublic))
	errs = append(errs, err)
	if unread == nil && trusted != nil {
		for id := range signer.KeySet() {
			if trusted[id] == nil {
				errs = append(errs, fmt.Errorf("%s does not trust the key in %s, so nobody would get in", admissionPublic, admissionKey))
			}
		}
	}
	_, err = admission.LoadStaff(c.Keys.path(staffFile))
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return "", errors.New(strings.ReplaceAll(err.Error(), "\n", "\n       "))
	}
	return "they are there and fit together", nil
}

// stripe looks at the files as the booking core does. Stripe is not asked.
func (c *checkInstallation) stripe(context.Context) (string, error) {
	if c.StripeKey == "" {
		return "", errSecretsWithoutKey
	}
	p, err := paymentFlags{StripeKey: c.StripeKey}.stripe(c.StripeWebhookSecrets)
	if err := errors.Join(err, private(c.StripeKey), private(c.StripeWebhookSecrets)); err != nil {
		return "", err
	}
	switch n := p.Secrets(); n {
	case 0:
		return "the key is there; without secrets no webhook is believed", nil
	default:
		return fmt.Sprintf("the key is there, and webhooks signed with %d secrets are believed", n), nil
	}
}

// private refuses a secret that other users may read.
func (c *checkInstallation) private(name string) error { return private(c.Keys.path(name)) }

func private(file string) error {
	info, err := os.Stat(file)
	if err == nil && info.Mode()&0o077 != 0 {
		return fmt.Errorf("%s may be read by others; run: chmod 600 %s", filepath.Base(file), file)
	}
	return nil // that it is missing has been said
}

type checkInventory struct {
	Redis       string `required:"" placeholder:"URL" help:"Redis of the inventory."`
	Postgres    string `required:"" placeholder:"DSN" help:"The database."`
	JSON        bool   `help:"Print JSON."`
	Performance string `placeholder:"UUID" help:"Look at this performance only."`
}

func (c *checkInventory) Run(ctx context.Context, con console) (err error) {
	on, err := openServers(ctx, c.Redis, c.Postgres)
	if err != nil {
		return err
	}
	defer closing(&err, on)
	reports, err := c.compare(ctx, inventory.New(on.redis), on.postgres)
	if err != nil {
		return err
	}
	if err := c.print(con.out, reports); err != nil {
		return err
	}
	if !slices.ContainsFunc(reports, func(r inventory.Report) bool { return !r.OK() }) {
		return nil
	}
	return errReported
}

func (c *checkInventory) compare(ctx context.Context, redis *inventory.Store, db *pgxpool.Pool) ([]inventory.Report, error) {
	shows := catalogue.New(db, time.Now)
	lists := returns.New(db, shows, redis, nil, nil) // asked which there are, and nothing else
	ids, err := shows.Performances(ctx)
	if err != nil {
		return nil, err
	}
	reports := []inventory.Report{}
	for _, id := range ids {
		if c.Performance != "" && c.Performance != string(id) {
			continue
		}
		report, err := redis.Check(ctx, id, inventory.With(order.NewStore(db, shows), shows, lists))
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	if c.Performance != "" && len(reports) == 0 {
		return nil, fmt.Errorf("no sale sells a performance %s", c.Performance)
	}
	return reports, nil
}

func (c *checkInventory) print(out io.Writer, reports []inventory.Report) error {
	if c.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			OK           bool               `json:"ok"`
			Performances []inventory.Report `json:"performances"`
		}{!slices.ContainsFunc(reports, func(r inventory.Report) bool { return !r.OK() }), reports})
	}
	for _, r := range reports {
		state := "ok   "
		if !r.OK() {
			state = "error"
		}
		fmt.Fprintf(out, "%s  %s: %d units, %d free, %d held, %d being paid, %d sold",
			state, r.Performance, r.Units, r.Free, r.Held, r.Paying, r.Sold)
		if r.Withheld > 0 {
			fmt.Fprintf(out, ", %d withheld", r.Withheld)
		}
		if r.Pooled > 0 {
			fmt.Fprintf(out, ", %d kept for the returns list", r.Pooled)
		}
		fmt.Fprintln(out)
		for _, m := range r.Mismatches {
			fmt.Fprintf(out, "       %s: units %v\n", m.Kind, m.Units)
		}
	}
	return nil
}
