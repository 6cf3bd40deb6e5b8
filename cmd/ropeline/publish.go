package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/terms"
)

type publishCommand struct {
	Sale     ropeline.SaleID `arg:"" help:"The sale."`
	Redis    string          `required:"" placeholder:"URL" help:"Redis of the lines, redis:// or unix://."`
	Postgres string          `required:"" placeholder:"DSN" help:"The database."`
	Keys     keyFolder       `required:"" placeholder:"DIR" help:"Folder with seed.key and terms.key."`
	Reason   string          `placeholder:"TEXT" help:"Why the terms have changed, in words for the fans; needed if they have."`
}

// Run tells the line what the database says of a sale: its settings, and its
// terms as a new version if they are others than before.
func (c *publishCommand) Run(ctx context.Context, con console) (err error) {
	on, err := openServers(ctx, c.Redis, c.Postgres)
	if err != nil {
		return err
	}
	defer closing(&err, on)
	shows := catalogue.New(on.postgres, time.Now)
	sale, err := shows.Sale(ctx, c.Sale)
	if err != nil {
		return err
	}
	// It would be a sale in which nobody can pay.
	if closed, err := shows.Closed(ctx, c.Sale); err != nil {
		return err
	} else if len(closed) > 0 {
		return hinted{fmt.Errorf("%s is not published: payment account %s (%s) %s", c.Sale, closed[0].Name, closed[0].Provider, standing(closed[0])),
			"see to it at the payment provider, then ask anew with: ropeline account connect " + closed[0].Name + " " + closed[0].Provider}
	}
	newest, err := publish(ctx, shows, on.redis, c.Keys, sale, c.Reason)
	if err != nil {
		return err
	}
	text, hash, err := terms.Text(newest.signed)
	if err != nil {
		return err
	}
	state := "as before"
	if newest.fresh {
		state = "new"
	}
	fmt.Fprintf(con.out, "%s is published; version %d of its terms (%s) has %d bytes and the hash %s\n", sale.ID, newest.version, state, len(text), hash)
	return nil
}

// publishedTerms is the newest version of a sale's terms.
type publishedTerms struct {
	signed  string
	version int
	fresh   bool // it was not there before
}

// publish makes a sale and its terms known to the line. A change of terms needs
// a reason, and is asked for one before anything is changed.
func publish(ctx context.Context, shows *catalogue.Store, rdb redis.UniversalClient, keys keyFolder, sale ropeline.Sale, reason string) (publishedTerms, error) {
	draft, err := shows.DraftTerms(ctx, sale, reason)
	if err != nil {
		return publishedTerms{}, err
	}
	return publishDraft(ctx, shows, rdb, keys, sale, draft)
}

// publishDraft publishes a sale with what was drafted of its terms.
func publishDraft(ctx context.Context, shows *catalogue.Store, rdb redis.UniversalClient, keys keyFolder, sale ropeline.Sale, draft catalogue.TermsDraft) (publishedTerms, error) {
	none := publishedTerms{}
	seed, err := keys.secret(seedKey)
	if err != nil {
		return none, err
	}
	signer, err := admission.LoadSigner(keys.path(termsKey))
	if err != nil {
		return none, err
	}
	if err := shows.OpenRoom(ctx, sale); err != nil {
		return none, err
	}
	lines := queue.New(rdb, queue.Keys{Seed: seed})
	if err := lines.PublishSale(ctx, sale); err != nil {
		return none, err
	}
	versions := draft.Signed
	if draft.Next != nil {
		text, err := terms.Canonical(*draft.Next)
		if err != nil {
			return none, err
		}
		signed := signer.SignDocument(terms.Type, text)
		if err := shows.KeepTerms(ctx, *draft.Next, signed); err != nil {
			return none, err
		}
		versions = append(versions, signed)
	}
	for i, signed := range versions { // Redis may have lost those before
		if err := tellTerms(ctx, lines, sale.ID, i+1, signed); err != nil {
			return none, err
		}
	}
	return publishedTerms{versions[len(versions)-1], len(versions), draft.Next != nil}, nil
}

func tellTerms(ctx context.Context, lines *queue.Store, sale ropeline.SaleID, version int, signed string) error {
	_, hash, err := terms.Text(signed)
	if err != nil {
		return err
	}
	sheet, err := terms.Unverified(signed)
	if err != nil {
		return err
	}
	_, err = lines.PostTerms(ctx, sale, version, signed, map[string]any{"version": version, "hash": hash, "reason": sheet.Reason})
	return err
}
