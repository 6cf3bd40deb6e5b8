package queue

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
)

// Presale codes lead to a lane. No store has a code, only an HMAC of each with a
// key of the sale's; codes of one batch have lane, uses and validity in common. Fans
// are answered from Redis; what it has is a copy of the book (codebook.go).

// CodeBatch is what the codes of one batch have in common.
type CodeBatch struct {
	ID    string    `json:"batch"`
	Lane  string    `json:"lane"`
	Uses  int64     `json:"uses"` // of each code
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"` // zero: as long as the sale

	// What is told of a batch that is there.
	Revoked bool  `json:"revoked,omitempty"`
	Codes   int64 `json:"codes"`
	Used    int64 `json:"used"` // uses taken, of all its codes
}

// MaxCodeUses bounds how often a code may be used: one that everybody has is a
// rule of the sale, not a code.
const MaxCodeUses = 1_000_000

// codeLength is 60 bits: at a million guesses a minute against a million codes
// somebody needs two years for the first.
const (
	codeAlphabet   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	newCodeLength  = 12
	shortestCode   = 6
	longestCode    = 64
	codesInOneCall = 1000
)

// What may be wrong with a code. None of it touches the place.
var (
	ErrCodesUnavailable = &ropeline.Error{Kind: ropeline.Unavailable, Code: "codes-unavailable", RetryAfter: time.Minute,
		Detail: "Codes cannot be checked just now. Your place is kept; please try again later."}
	ErrCodeWrong = &ropeline.Error{Kind: ropeline.NotFound, Code: "lane-code-unknown",
		Detail: "This code is not one of this sale. Your place is kept: check the code and try again."}
	ErrCodeRevoked = &ropeline.Error{Kind: ropeline.Gone, Code: "lane-code-revoked",
		Detail: "The organizer has taken this code back. Your place is kept."}
	ErrCodeEarly = &ropeline.Error{Kind: ropeline.Conflict, Code: "lane-code-early",
		Detail: "This code does not hold yet. Your place is kept."}
	ErrCodeOver = &ropeline.Error{Kind: ropeline.Gone, Code: "lane-code-expired",
		Detail: "This code does not hold any more. Your place is kept."}
	ErrCodeSpent = &ropeline.Error{Kind: ropeline.Conflict, Code: "lane-code-spent",
		Detail: "This code has been used as often as it may be. Your place is kept."}
	ErrCodeTries = &ropeline.Error{Kind: ropeline.Limited, Code: "lane-code-tries",
		Detail: "You have tried as many codes as you may in a minute. Your place is kept: try again in a moment."}
	ErrLaneHere = &ropeline.Error{Kind: ropeline.Conflict, Code: "lane-same",
		Detail: "Your place is in the lane of this code already."}
	ErrLaneFixed = &ropeline.Error{Kind: ropeline.Conflict, Code: "lane-fixed",
		Detail: "This place cannot move to another lane: only one that waits, and that nobody shares, can."}
	ErrBatchUnknown = &ropeline.Error{Kind: ropeline.NotFound, Code: "codes-unknown", Detail: "There are no such codes."}
)

// ErrCodeMalformed refuses what cannot be a code.
var ErrCodeMalformed = &ropeline.Error{Kind: ropeline.Invalid, Code: "lane-code-malformed",
	Detail: fmt.Sprintf("A code has %d to %d letters and digits. Your place is kept.", shortestCode, longestCode)}

// plainCode is a code without what people add or mistake when they type it.
func plainCode(text string) (string, error) {
	if len(text) > 2*longestCode {
		return "", ErrCodeMalformed
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(text) {
		switch {
		case r == ' ' || r == '-' || r == '\t':
		case r == 'O':
			b.WriteByte('0')
		case r == 'I' || r == 'L':
			b.WriteByte('1')
		case r >= '0' && r <= '9' || r >= 'A' && r <= 'Z':
			b.WriteRune(r)
		default:
			return "", ErrCodeMalformed
		}
	}
	if b.Len() < shortestCode || b.Len() > longestCode {
		return "", ErrCodeMalformed
	}
	return b.String(), nil
}

// NewLaneCodes makes so many codes, in groups of four for typing.
func NewLaneCodes(n int) []string {
	codes := make([]string, n)
	for i := range codes {
		raw := make([]byte, newCodeLength)
		rand.Read(raw)
		var b strings.Builder
		for j, c := range raw {
			if j > 0 && j%4 == 0 {
				b.WriteByte('-')
			}
			b.WriteByte(codeAlphabet[c%32])
		}
		codes[i] = b.String()
	}
	return codes
}

// hashCode is all that is kept of a code.
func (s *Store) hashCode(sale ropeline.SaleID, code string) (string, error) {
	if len(s.keys.Code) == 0 {
		return "", ErrCodesUnavailable
	}
	plain, err := plainCode(code)
	if err != nil {
		return "", err
	}
	mac := sign(s.keys.Code, "code of "+string(sale)+"\n"+plain)
	return base64.RawURLEncoding.EncodeToString(mac[:16]), nil
}

//go:embed lua/codes.lua
var codesSource string
var codesScript = newScript("codes", codesSource)

// AddCodes keeps codes that lead to a lane, all of one batch. It returns how many
// were new; adding them again changes nothing. It needs the code key. Where there
// is a book they are in it before they can be used.
func (s *Store) AddCodes(ctx context.Context, sale ropeline.SaleID, b CodeBatch, codes []string) (int64, error) {
	doc, err := s.Sale(ctx, sale)
	if err != nil {
		return 0, err
	}
	lane, ok := doc.Lane(b.Lane)
	switch {
	case !ok || !lane.Takes(ropeline.EntryCode):
		return 0, invalidCodes(fmt.Sprintf("the sale has no lane %q that takes codes", b.Lane))
	case b.ID == "" || len(b.ID) > 64 || strings.ContainsAny(b.ID, " \t\n"):
		return 0, invalidCodes("a batch needs a name without spaces")
	case b.Uses < 1 || b.Uses > MaxCodeUses:
		return 0, invalidCodes(fmt.Sprintf("uses must lie between 1 and %d", MaxCodeUses))
	case !b.Until.IsZero() && !b.From.Before(b.Until):
		return 0, invalidCodes("until must lie after from")
	}
	hashes := make([]string, len(codes))
	for i, code := range codes {
		if hashes[i], err = s.hashCode(sale, code); err != nil {
			return 0, err
		}
	}
	if s.book != nil {
		for chunk := range slices.Chunk(hashes, 10*codesInOneCall) {
			if err := s.book.AddCodes(ctx, sale, b, chunk); err != nil {
				return 0, err
			}
		}
	}
	return s.writeCodes(ctx, sale, b, hashes)
}

// writeCodes gives Redis its copy of codes, and returns how many were new.
func (s *Store) writeCodes(ctx context.Context, sale ropeline.SaleID, b CodeBatch, hashes []string) (added int64, err error) {
	kept := fmt.Sprintf("%s %d %d %d", b.Lane, b.Uses, unixMilli(b.From), unixMilli(b.Until))
	for chunk := range slices.Chunk(hashes, codesInOneCall) {
		args := []any{b.ID, kept}
		for _, hash := range chunk {
			args = append(args, hash)
		}
		reply, err := s.runOn(ctx, sale, codesScript, keysOf(sale, "codes", "code-batches", "state", "code-uses"), args...)
		if err != nil {
			return added, err
		}
		n, _ := reply.(int64)
		added += n
	}
	return added, nil
}

func invalidCodes(why string) error {
	return &ropeline.Error{Kind: ropeline.Invalid, Code: "codes-invalid", Detail: "These codes cannot be kept: " + why + "."}
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

//go:embed lua/revoke_codes.lua
var revokeCodesSource string
var revokeCodesScript = newScript("revoke codes", revokeCodesSource)

// RevokeCodes takes back a batch, or one code. Who came in by them, stays.
func (s *Store) RevokeCodes(ctx context.Context, sale ropeline.SaleID, batch, code string) error {
	hash := ""
	if batch == "" {
		var err error
		if hash, err = s.hashCode(sale, code); err != nil {
			return err
		}
	}
	if s.book != nil {
		if err := s.book.RevokeCodes(ctx, sale, batch, hash); err != nil {
			return err
		}
	}
	return s.markRevoked(ctx, sale, batch, hash)
}

func (s *Store) markRevoked(ctx context.Context, sale ropeline.SaleID, batch, hash string) error {
	reply, err := s.runOn(ctx, sale, revokeCodesScript, keysOf(sale, "codes", "code-batches"), batch, hash)
	if err == nil && reply != int64(1) {
		return ErrBatchUnknown
	}
	return err
}

// CodeBatches lists what codes a sale has.
func (s *Store) CodeBatches(ctx context.Context, sale ropeline.SaleID) ([]CodeBatch, error) {
	kept, err := s.rdb.HGetAll(ctx, key(sale, "code-batches")).Result()
	if err != nil {
		return nil, storeError("reading codes", err)
	}
	batches := make([]CodeBatch, 0, len(kept))
	for id, text := range kept {
		b := CodeBatch{ID: id}
		words := strings.Fields(text)
		if len(words) < 4 {
			return nil, fmt.Errorf("reading codes: %q", text)
		}
		uses, usesErr := strconv.ParseInt(words[1], 10, 64)
		from, fromErr := strconv.ParseInt(words[2], 10, 64)
		until, untilErr := strconv.ParseInt(words[3], 10, 64)
		if err := errors.Join(usesErr, fromErr, untilErr); err != nil {
			return nil, fmt.Errorf("reading codes: %w", err)
		}
		counts, err := s.rdb.HMGet(ctx, key(sale, "code-uses"), "batch "+id, "made "+id).Result()
		if err != nil {
			return nil, storeError("reading codes", err)
		}
		b.Lane, b.Uses, b.From, b.Until, b.Revoked = words[0], uses, milli(from), milli(until), len(words) > 4
		for i, n := range []*int64{&b.Used, &b.Codes} {
			if text, ok := counts[i].(string); ok {
				if *n, err = strconv.ParseInt(text, 10, 64); err != nil {
					return nil, fmt.Errorf("reading codes: %w", err)
				}
			}
		}
		batches = append(batches, b)
	}
	slices.SortFunc(batches, func(a, b CodeBatch) int { return strings.Compare(a.ID, b.ID) })
	return batches, nil
}
