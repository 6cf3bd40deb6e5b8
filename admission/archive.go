package admission

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue/draw"
)

// Archive keeps who took part in draws, in Postgres. A draw does not wait for
// that: what Postgres does not take is written to a file and entered later.
type Archive struct {
	db     *pgxpool.Pool
	folder string // of the files
	log    *slog.Logger
}

const (
	keepPatience = 2 * time.Second // a million entrants are 17 MB packed; the draw waits
	readPatience = 10 * time.Second
	// enterPatience is for what lies in files: nobody waits, and what a slow Postgres
	// does not take in the time of a draw would never be entered.
	enterPatience = 30 * time.Second
	enterEvery    = 5 * time.Second
	// maxUnpacked bounds what a row may unpack to: 20 million places.
	maxUnpacked = 20_000_000 * 32
)

// NewArchive returns an Archive that leaves its files in this folder.
func NewArchive(db *pgxpool.Pool, folder string, log *slog.Logger) (*Archive, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the archive's folder: %w", err)
	}
	return &Archive{db: db, folder: folder, log: log}, nil
}

// Keep keeps the entrants that a root is over. If neither Postgres nor the disk
// takes them, the draw goes on all the same: it can be published as long as Redis
// has them.
func (a *Archive) Keep(ctx context.Context, sale ropeline.SaleID, root draw.Hash, entrants []ropeline.PlaceID) {
	packed, err := pack(entrants)
	if err == nil {
		err = a.enter(ctx, keepPatience, sale, root, len(entrants), packed)
	}
	if err == nil {
		return
	}
	file := a.file(sale, root)
	a.log.Warn("the entrants go to a file first", "sale", sale, "file", file, "err", err)
	if err := writeWhole(file, packed); err != nil {
		a.log.Error("the entrants are kept nowhere but in Redis", "sale", sale, "err", err)
	}
}

func (a *Archive) enter(ctx context.Context, patience time.Duration, sale ropeline.SaleID, root draw.Hash, count int, packed []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := a.db.Exec(ctx, `
		insert into draw_entrants (sale_id, root, count, packed) values ($1, $2, $3, $4)
		on conflict (sale_id, root) do nothing`, sale, root[:], count, packed)
	if err != nil {
		return fmt.Errorf("entering the entrants of %s: %w", sale, err)
	}
	return nil
}

// Entrants returns what was kept: from Postgres, else from a file that is not
// entered yet; nil if nothing was.
func (a *Archive) Entrants(ctx context.Context, sale ropeline.SaleID, root draw.Hash) ([]ropeline.PlaceID, error) {
	packed, err := os.ReadFile(a.file(sale, root))
	if err == nil {
		return unpack(packed)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("reading the entrants of %s: %w", sale, err)
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	err = a.db.QueryRow(ctx, `select packed from draw_entrants where sale_id = $1 and root = $2`, sale, root[:]).Scan(&packed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, ropeline.ErrStoreAway.Because(fmt.Errorf("reading the entrants of %s: %w", sale, err))
	}
	return unpack(packed)
}

// Newest returns the root of what was kept last for a sale, and not before since.
func (a *Archive) Newest(ctx context.Context, sale ropeline.SaleID, since time.Time) (root draw.Hash, there bool, err error) {
	files, err := filepath.Glob(filepath.Join(a.folder, string(sale)+".*"+fileEnd))
	if err != nil {
		return root, false, fmt.Errorf("looking for entrants in files: %w", err)
	}
	for _, file := range files { // what is not entered yet is newer than what is
		if info, err := os.Stat(file); err == nil && !info.ModTime().Before(since) {
			since = info.ModTime()
			if _, root, err = readName(file); err != nil {
				return root, false, err
			}
			there = true
		}
	}
	if there {
		return root, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	var raw []byte
	err = a.db.QueryRow(ctx, `
		select root from draw_entrants where sale_id = $1 and kept_at >= $2 order by kept_at desc limit 1`, sale, since).Scan(&raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return root, false, nil
	}
	if err != nil {
		return root, false, ropeline.ErrStoreAway.Because(fmt.Errorf("looking for the entrants of %s: %w", sale, err))
	}
	return draw.Hash(raw), true, nil
}

// Run enters what lies in files, until ctx ends.
func (a *Archive) Run(ctx context.Context) error {
	every := time.NewTicker(enterEvery)
	defer every.Stop()
	for {
		a.enterFiles(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

func (a *Archive) enterFiles(ctx context.Context) {
	files, err := filepath.Glob(filepath.Join(a.folder, "*"+fileEnd))
	if err != nil {
		a.log.Error("looking for entrants in files", "err", err)
	}
	for _, file := range files {
		if err := a.enterFile(ctx, file); err != nil && ctx.Err() == nil {
			a.log.Warn("entrants stay in their file", "file", file, "err", err)
			return // the others would fare no better
		}
	}
}

func (a *Archive) enterFile(ctx context.Context, file string) error {
	sale, root, err := readName(file)
	if err != nil {
		return err
	}
	packed, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	entrants, err := unpack(packed)
	if err != nil {
		return err
	}
	if err := a.enter(ctx, enterPatience, sale, root, len(entrants), packed); err != nil {
		return err
	}
	a.log.Info("entrants are entered", "sale", sale, "entrants", len(entrants))
	return os.Remove(file)
}

const fileEnd = ".entrants.gz"

func (a *Archive) file(sale ropeline.SaleID, root draw.Hash) string {
	return filepath.Join(a.folder, fmt.Sprintf("%s.%x%s", sale, root, fileEnd))
}

// readName is what the name of a file says of its content.
func readName(file string) (sale ropeline.SaleID, root draw.Hash, err error) {
	name, text, ok := strings.Cut(strings.TrimSuffix(filepath.Base(file), fileEnd), ".")
	raw, err := hex.DecodeString(text)
	if !ok || err != nil || len(raw) != len(draw.Hash{}) {
		return "", root, fmt.Errorf("the name of %s is none of ours", file)
	}
	return ropeline.SaleID(name), draw.Hash(raw), nil
}

// writeWhole writes a file whole or not at all, and to the disk.
func writeWhole(file string, content []byte) (err error) {
	draft, err := os.CreateTemp(filepath.Dir(file), "draft-*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(content)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), file)
}

func pack(entrants []ropeline.PlaceID) ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for _, id := range entrants {
		if _, err := io.WriteString(z, string(id)+"\n"); err != nil {
			return nil, fmt.Errorf("packing entrants: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("packing entrants: %w", err)
	}
	return packed.Bytes(), nil
}

func unpack(packed []byte) ([]ropeline.PlaceID, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking entrants: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxUnpacked))
	if err != nil {
		return nil, fmt.Errorf("unpacking entrants: %w", err)
	}
	entrants := make([]ropeline.PlaceID, 0, bytes.Count(text, []byte("\n")))
	for line := range strings.Lines(string(text)) {
		entrants = append(entrants, ropeline.PlaceID(strings.TrimSuffix(line, "\n")))
	}
	return entrants, nil
}
