package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline/internal/bench"
)

const (
	many, few = 200_000, 2_000 // events
	searchers = 8
	browsers  = 64
)

// searchRows measures a search by a mistyped text, beside a SELECT by primary key, and
// beside the same search in a guide of a hundredth of the size; and what everybody looks at.
func searchRows(ctx context.Context, p bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	big, err := open(ctx, p.Of(many), out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, big)
	small, err := open(ctx, max(50, p.Of(few)), out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, small)
	var p99, medians, before, keys, smallMedians []float64
	n := p.Of(4_000)
	for run := range p.Runs {
		// What was looked for before is looked for again in no run, so no plan and no page helps.
		found, err := big.search(ctx, n)
		if err != nil {
			return nil, err
		}
		key, err := big.selectByKey(ctx, n)
		if err != nil {
			return nil, err
		}
		little, err := small.search(ctx, n)
		if err != nil {
			return nil, err
		}
		p99, medians, before = append(p99, found.at(0.99)), append(medians, found.at(0.5)), append(before, found.rate())
		keys, smallMedians = append(keys, key.at(0.99)), append(smallMedians, little.at(0.5))
		fmt.Fprintf(out, "run %d: a search p99 %.1f ms, median %.2f ms, %.0f/s; by key p99 %.2f ms; of few events median %.2f ms\n", run+1,
			p99[run], medians[run], before[run], keys[run], smallMedians[run])
	}
	rows = []bench.Row{
		bench.Compare(fmt.Sprintf("search by text with a typo in %d events, p99 at 8 clients", len(big.events)), "ms", p99, "SELECT by primary key, same pool, Fiber", keys).RatioAtMost(20),
		bench.Compare(fmt.Sprintf("same, median, in %d events", len(big.events)), "ms", medians, fmt.Sprintf("in %d events", len(small.events)), smallMedians).RatioAtMost(4),
		bench.Alone("same, searches a second", "/s", before).Untargeted(),
	}
	more, err := big.pages(ctx, p, out)
	return append(rows, more...), err
}

// pageRows measures what everybody looks at, and nothing else: for whoever works on it.
func pageRows(ctx context.Context, p bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	h, err := open(ctx, p.Of(few), out)
	if err != nil {
		return nil, err
	}
	defer closing(&err, h)
	return h.pages(ctx, p, out)
}

// house is a guide, and a core that serves it.
type house struct {
	*guide
	*core
}

func open(ctx context.Context, events int, out io.Writer) (h *house, err error) {
	h = &house{}
	if h.guide, err = newGuide(ctx, events, out); err != nil {
		return nil, err
	}
	if h.core, err = startCore(ctx, h.server.Pool); err != nil {
		return nil, errors.Join(err, h.guide.Close())
	}
	return h, nil
}

// Close ends both.
func (h *house) Close() error { return errors.Join(h.core.Close(), h.guide.Close()) }

// search looks for so many events by mistyped names. Nine of ten have to find something:
// else it is measured how quickly nothing is found.
func (h *house) search(ctx context.Context, n int) (heard, error) {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = "/api/v1/search?q=" + url.QueryEscape(h.typo())
	}
	got, err := crowd(ctx, h.address, searchers, paths, func(body []byte) bool { return !bytes.Contains(body, []byte(`"entries":[]`)) })
	if err == nil && got.empty > n/10 {
		err = fmt.Errorf("%d of %d searches found nothing", got.empty, n)
	}
	return got, err
}

// selectByKey is the reference: the least that a question to Postgres costs.
func (h *house) selectByKey(ctx context.Context, n int) (got heard, err error) {
	address, stop, err := plain(func(app *fiber.App) {
		app.Get("/:id", func(c *fiber.Ctx) error {
			var row struct {
				ID    string `json:"id"`
				Title string `json:"title"`
			}
			if err := h.server.Pool.QueryRow(ctx, `select id, title from events where id = $1`, c.Params("id")).Scan(&row.ID, &row.Title); err != nil {
				return err
			}
			return c.JSON(row)
		})
	})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = "/" + pick(h.names, h.events).id
	}
	return crowd(ctx, address, searchers, paths, nil)
}

// pages measures the listing and the pages of popular events, in turns, beside a handler
// that answers as many bytes.
func (h *house) pages(ctx context.Context, p bench.Plan, out io.Writer) (rows []bench.Row, err error) {
	const popular = 48 // as many as are listed
	n := p.Of(100_000)
	paths, sizes := make([]string, n), map[string][]byte{}
	for i := range paths {
		if paths[i] = "/api/v1/listing"; i%2 == 1 {
			paths[i] = "/api/v1/events/" + h.events[h.names.skewed(min(popular, len(h.events)))].id
		}
	}
	for _, path := range paths {
		if sizes[path] != nil {
			continue
		}
		if _, err := crowd(ctx, h.address, 1, []string{path}, func(body []byte) bool {
			sizes[path] = bytes.Repeat([]byte{'x'}, len(body))
			return true
		}); err != nil {
			return nil, err
		}
	}
	address, stop, err := plain(func(app *fiber.App) {
		app.Get("/*", func(c *fiber.Ctx) error { return c.Send(sizes[c.Path()]) })
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var ours, theirs []float64
	for run := range p.Runs {
		for _, way := range []struct {
			address string
			to      *[]float64
		}{{h.address, &ours}, {address, &theirs}} {
			got, err := crowd(ctx, way.address, browsers, paths, nil)
			if err != nil {
				return nil, err
			}
			*way.to = append(*way.to, got.rate())
		}
		fmt.Fprintf(out, "run %d: %.0f pages/s, of a handler with as many bytes %.0f\n", run+1, ours[run], theirs[run])
	}
	return []bench.Row{bench.Compare("popular listing and event page in turns, 64 connections", "/s", ours, "Fiber handler answering as many bytes", theirs).RatioAtLeast(0.7)}, nil
}
