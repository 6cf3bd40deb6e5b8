package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/queue"
)

type codesCommand struct {
	Generate codesGenerate `cmd:"" help:"Make codes that lead to a lane of a sale, and print them as CSV: they are kept nowhere else."`
	Import   codesImport   `cmd:"" help:"Keep codes of the organizer's own: the first column of a file, or of standard input."`
	Revoke   codesRevoke   `cmd:"" help:"Take back a batch of codes, or one of them. Who came in by them, stays."`
	Counts   codesCounts   `cmd:"" help:"Say which codes a sale has, and how many were used."`
}

// codeStore is what all of them need.
type codeStore struct {
	Redis    string    `required:"" placeholder:"URL" help:"Redis of the lines, redis:// or unix://."`
	Postgres string    `placeholder:"DSN" help:"The database, where codes are kept for good: give it wherever the admission part has one."`
	Keys     keyFolder `required:"" placeholder:"DIR" help:"Folder with code.key."`
}

func (c codeStore) with(ctx context.Context, do func(*queue.Store) error) (err error) {
	code, err := c.Keys.secret(codeKey)
	if err != nil {
		return err
	}
	rdb, err := dial.Redis(c.Redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	store := queue.New(rdb, queue.Keys{Code: code})
	defer store.Close()
	if c.Postgres != "" {
		db, err := dial.Postgres(ctx, c.Postgres)
		if err != nil {
			return err
		}
		defer db.Close()
		store.UseCodeBook(admission.NewCodeBook(db))
	}
	return do(store)
}

// codeRules is what the codes of a batch have in common.
type codeRules struct {
	Batch string    `placeholder:"NAME" help:"The batch's name; made from the time if it has none."`
	Uses  int64     `default:"1" help:"How often each code may be used."`
	From  time.Time `placeholder:"TIME" help:"From when on they hold, as 2026-11-26T10:00:00Z; at once if not given."`
	Until time.Time `placeholder:"TIME" help:"Until when; as long as the sale if not given."`
	Sale  string    `arg:"" help:"The sale."`
	Lane  string    `arg:"" help:"The lane that they lead to."`
}

func (r codeRules) batch() queue.CodeBatch {
	b := queue.CodeBatch{ID: r.Batch, Lane: r.Lane, Uses: r.Uses, From: r.From, Until: r.Until}
	if b.ID == "" {
		b.ID = time.Now().UTC().Format("20060102-150405.000")
	}
	return b
}

type codesGenerate struct {
	codeStore
	Count int `required:"" help:"How many, up to a million."`
	codeRules
}

// maxCodes bounds one run.
const maxCodes = 1_000_000

func (c *codesGenerate) Run(ctx context.Context, con console) error {
	if c.Count < 1 || c.Count > maxCodes {
		return fmt.Errorf("--count must lie between 1 and %d", maxCodes)
	}
	b := c.batch()
	return c.with(ctx, func(store *queue.Store) error {
		codes := queue.NewLaneCodes(c.Count)
		if _, err := store.AddCodes(ctx, ropeline.SaleID(c.Sale), b, codes); err != nil {
			return err
		}
		out := csv.NewWriter(con.out)
		rows := [][]string{{"code", "batch", "lane", "uses", "until"}}
		until := ""
		if !b.Until.IsZero() {
			until = b.Until.UTC().Format(time.RFC3339)
		}
		for _, code := range codes {
			rows = append(rows, []string{code, b.ID, b.Lane, strconv.FormatInt(b.Uses, 10), until})
		}
		return out.WriteAll(rows)
	})
}

type codesImport struct {
	codeStore
	File string `placeholder:"FILE" help:"Where the codes are; standard input if not given."`
	codeRules
}

func (c *codesImport) Run(ctx context.Context, con console) error {
	in := io.Reader(os.Stdin)
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return fmt.Errorf("reading codes: %w", err)
		}
		defer f.Close()
		in = f
	}
	codes, err := readCodes(in)
	if err != nil {
		return err
	}
	b := c.batch()
	return c.with(ctx, func(store *queue.Store) error {
		added, err := store.AddCodes(ctx, ropeline.SaleID(c.Sale), b, codes)
		if err != nil {
			return err
		}
		fmt.Fprintf(con.out, "batch %s: %d codes kept, %d of them new\n", b.ID, len(codes), added)
		return nil
	})
}

// readCodes reads the first column of each line; a headline is none.
func readCodes(in io.Reader) (codes []string, err error) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		code, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), ",")
		if code = strings.Trim(code, `" `); code == "" || code == "code" {
			continue
		}
		if codes = append(codes, code); len(codes) > maxCodes {
			return nil, fmt.Errorf("there are more than %d codes: import them in parts", maxCodes)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading codes: %w", err)
	}
	return codes, nil
}

type codesRevoke struct {
	codeStore
	Code string `placeholder:"CODE" xor:"what" required:"" help:"One code."`
	// The batch's flag has the same name as where it is made.
	Batch string `placeholder:"NAME" xor:"what" required:"" help:"All codes of a batch."`
	Sale  string `arg:"" help:"The sale."`
}

func (c *codesRevoke) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(store *queue.Store) error {
		if err := store.RevokeCodes(ctx, ropeline.SaleID(c.Sale), c.Batch, c.Code); err != nil {
			return err
		}
		fmt.Fprintln(con.out, "revoked")
		return nil
	})
}

type codesCounts struct {
	codeStore
	Sale string `arg:"" help:"The sale."`
}

func (c *codesCounts) Run(ctx context.Context, con console) error {
	return c.with(ctx, func(store *queue.Store) error {
		batches, err := store.CodeBatches(ctx, ropeline.SaleID(c.Sale))
		if err != nil {
			return err
		}
		for _, b := range batches {
			state := "holds"
			if b.Revoked {
				state = "revoked"
			}
			fmt.Fprintf(con.out, "%s: %d codes to lane %s, %d uses each, %d uses taken, %s\n", b.ID, b.Codes, b.Lane, b.Uses, b.Used, state)
		}
		return nil
	})
}
