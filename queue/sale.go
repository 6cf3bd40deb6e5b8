package queue

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
)

//go:embed lua/publish_line.lua
var publishLineSource string
var publishLineScript = newScript("publish line", publishLineSource)

//go:embed lua/publish.lua
var publishSource string
var publishScript = newScript("publish", publishSource)

// PublishSale makes a sale known to every edge and controller. The newest
// version of a sale wins; the draw's seed and the live limits are set by the
// first one and kept. A close of the lobby that has passed cannot be moved
// (ErrLobbyClosed). It needs the seed key.
func (s *Store) PublishSale(ctx context.Context, sale ropeline.Sale) error {
	return s.publish(ctx, sale, 0)
}

// RepublishSale is PublishSale for a sale that is known to have been published
// before, from another record of it: if Redis does not know it, the line was
// lost and settles first.
func (s *Store) RepublishSale(ctx context.Context, sale ropeline.Sale) error {
	return s.publish(ctx, sale, 1)
}

func (s *Store) publish(ctx context.Context, sale ropeline.Sale, before int) error {
	if err := sale.Validate(); err != nil {
		return err
	}
	if sale.SafetyNet { // there is no lobby: it closes as the sale opens
		sale.LobbyClosesAt = sale.OpensAt
	}
	if err := s.keepsKind(ctx, sale); err != nil {
		return err
	}
	doc, err := json.Marshal(sale)
	if err != nil {
		return fmt.Errorf("writing sale document: %w", err)
	}
	public, err := json.Marshal(published(sale))
	if err != nil {
		return fmt.Errorf("writing what is public of a sale: %w", err)
	}
	sealed, err := s.sealSeed(sale.ID)
	if err != nil {
		return err
	}
	if err := s.keepsRule(ctx, sale); err != nil {
		return err
	}
	sh := shapeOf(sale)
	lines := linesOf(sale.ID, sh.lines())
	// The script refuses it, too; but then further lines would be there.
	if n, err := s.rdb.HGet(ctx, key(sale.ID, "state"), "shards").Int(); err == nil && n != len(lines) {
		return fixed(sale, n)
	}
	if err := onEach(lines, func(l lineID) error {
		epoch := ""
		if sale.SafetyNet { // the line is there at once
			epoch = newEpoch()
		}
		_, err := s.run(ctx, publishLineScript, l.keys("line"), sale.Version, sale.LobbyClosesAt.UnixMilli(), sale.EndsAt.UnixMilli(), before, epoch)
		return err
	}); err != nil {
		return err
	}
	keys := keysOf(sale.ID, "state", "limits", "sale", "seed", "events")
	_, err = s.run(ctx, publishScript, keys, doc, sale.Version,
		sale.LobbyClosesAt.UnixMilli(), sale.OpensAt.UnixMilli(), sale.EndsAt.UnixMilli(),
		int64(sale.ClaimWindow), int64(sale.TokenLife), int64(sale.SessionMax), sale.Cap, sale.Rate, sealed, len(lines), public, sharesText(sale))
	if err != nil {
		return err
	}
	s.see(sale.ID, sh)
	if !sale.SafetyNet { // which draws nothing
		if err := s.commit(ctx, sale.ID); err != nil {
			return err
		}
	}
	return storeError("listing sale", s.rdb.SAdd(ctx, keySales, string(sale.ID)).Err())
}

// published is what the public is told of a sale's settings.
func published(sale ropeline.Sale) map[string]any {
	told := map[string]any{
		"version": sale.Version, "lobby_closes_at": sale.LobbyClosesAt.UTC(), "opens_at": sale.OpensAt.UTC(), "ends_at": sale.EndsAt.UTC(),
		"cap": sale.Cap, "rate": sale.Rate,
	}
	if len(sale.Lanes) > 0 {
		told["lanes"], told["main_share"] = sale.Lanes, sale.MainShare()
	}
	type rule struct {
		Title string `json:"title"`
		Share int    `json:"share"`
	}
	rules := map[string]rule{} // without their keys
	for _, b := range sale.Bypass {
		rules[b.Name] = rule{b.Title, b.Share}
	}
	if len(rules) > 0 {
		told["bypass"] = rules
	}
	return told
}

// fixed says what it is of a document that has not so many lines that cannot be
// changed.
func fixed(sale ropeline.Sale, lines int) error {
	if lines%(1+len(sale.Lanes)) == 0 {
		return ErrShardsFixed
	}
	return ErrLanesFixed
}

// keepsRule refuses another beacon once the lobby has closed.
func (s *Store) keepsRule(ctx context.Context, sale ropeline.Sale) error {
	d, err := s.Drawing(ctx, sale.ID)
	if err != nil || d.Rule == "" || d.Rule == termsOf(sale).Beacon || s.time().Before(sale.LobbyClosesAt) {
		return err
	}
	return ErrLobbyClosed
}

// Sale returns a sale's settings document, or ropeline.ErrSaleUnknown.
func (s *Store) Sale(ctx context.Context, id ropeline.SaleID) (ropeline.Sale, error) {
	if !id.Valid() {
		return ropeline.Sale{}, ropeline.ErrSaleUnknown
	}
	doc, err := s.rdb.Get(ctx, key(id, "sale")).Bytes()
	if errors.Is(err, redis.Nil) {
		return ropeline.Sale{}, s.lost(id, ropeline.ErrSaleUnknown)
	}
	if err != nil {
		return ropeline.Sale{}, storeError("reading sale", err)
	}
	sale, err := ropeline.ParseSale(doc)
	if err == nil {
		s.see(id, shapeOf(sale))
	}
	return sale, err
}

// Sales returns the ids of all published sales, sorted.
func (s *Store) Sales(ctx context.Context) ([]ropeline.SaleID, error) {
	names, err := s.rdb.SMembers(ctx, keySales).Result()
	if err != nil {
		return nil, storeError("listing sales", err)
	}
	ids := make([]ropeline.SaleID, len(names))
	for i, name := range names {
		ids[i] = ropeline.SaleID(name)
	}
	slices.Sort(ids)
	return ids, nil
}

// sealSeed makes the seed of a sale's draw and encrypts it: who can read Redis
// must not be able to compute the draw before it happens.
func (s *Store) sealSeed(sale ropeline.SaleID) ([]byte, error) {
	aead, err := s.seedCipher()
	if err != nil {
		return nil, err
	}
	nonce, seed := make([]byte, aead.NonceSize()), make([]byte, 32)
	rand.Read(nonce) // crypto/rand never fails; it ends the process instead
	if _, err := io.ReadFull(s.random, seed); err != nil {
		return nil, fmt.Errorf("making the seed of sale %s: %w", sale, err)
	}
	return aead.Seal(nonce, nonce, seed, []byte(sale)), nil
}

// openSeed decrypts what sealSeed made.
func (s *Store) openSeed(sale ropeline.SaleID, sealed []byte) ([]byte, error) {
	aead, err := s.seedCipher()
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("opening the draw's seed of %s: it is damaged", sale)
	}
	n := aead.NonceSize()
	seed, err := aead.Open(nil, sealed[:n], sealed[n:], []byte(sale))
	if err != nil {
		return nil, fmt.Errorf("opening the draw's seed of %s (is this the seed key it was sealed with?): %w", sale, err)
	}
	return seed, nil
}

func (s *Store) seedCipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.keys.Seed)
	if err != nil {
		return nil, fmt.Errorf("seed key: %w", err)
	}
	return cipher.NewGCM(block)
}
