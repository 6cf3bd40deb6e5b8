package edge

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

const (
	ledgerPage     = 100   // entries of an answer, if the caller does not say
	ledgerPageMost = 1_000 // and at most: 400 KB
)

var errCursorInvalid = &ropeline.Error{Kind: ropeline.Invalid, Code: "cursor-invalid",
	Detail: "after is the number of the last entry you have, or how many of the newest you want as a negative number; limit is 1 to 1000."}

// showLedger serves a page of a sale's public ledger.
func (s *Server) showLedger(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	after, limit, err := readCursor(r)
	if err != nil {
		return err
	}
	if after < 0 {
		chain, err := s.store.Chain(r.Context(), room.id)
		if err != nil {
			return err
		}
		after = max(0, chain.Head.Seq+after)
	}
	entries, chain, err := s.store.LedgerPage(r.Context(), room.id, after, limit)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=1")
	return ropeline.WriteJSON(w, http.StatusOK, ledgerDoc(room.id, entries, chain, after))
}

func readCursor(r *http.Request) (after, limit int64, err error) {
	q, limit := r.URL.Query(), int64(ledgerPage)
	if text := q.Get("after"); text != "" {
		if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < -ledgerPageMost {
			return 0, 0, errCursorInvalid
		}
	}
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.ParseInt(text, 10, 64); err != nil || limit < 1 || limit > ledgerPageMost {
			return 0, 0, errCursorInvalid
		}
	}
	return after, limit, nil
}

func ledgerDoc(sale ropeline.SaleID, entries []json.RawMessage, chain queue.Chain, after int64) wire.Ledger {
	doc := wire.Ledger{Sale: sale, First: chain.First, Entries: entries, Head: wire.LedgerHead{Seq: chain.Head.Seq, Hash: chain.Head.Hash}}
	if entries == nil {
		doc.Entries = []json.RawMessage{}
	}
	if chain.Signed.Signature != "" {
		doc.Head.Signed = &wire.LedgerSigned{Seq: chain.Signed.Seq, Hash: chain.Signed.Hash, Key: chain.Signed.Key, Signature: chain.Signed.Signature}
	}
	if chain.Key.Key != "" {
		doc.Key = &wire.LedgerKey{ID: chain.Key.Key, Public: chain.Key.Public}
	}
	if last := max(after+1, chain.First) + int64(len(entries)) - 1; len(entries) > 0 && last < chain.Head.Seq {
		doc.Next = last
	}
	return doc
}

// ledgerFile serves the whole ledger for verify-ledger: JSON, a line each. What
// comes while it is written is in it or not.
func (s *Server) ledgerFile(w http.ResponseWriter, r *http.Request) error {
	room, err := s.room(r)
	if err != nil {
		return err
	}
	entries, chain, err := s.store.LedgerPage(r.Context(), room.id, 0, ledgerPageMost)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", `attachment; filename="ledger-`+string(room.id)+`.jsonl"`)
	h.Set("Cache-Control", "public, max-age=5")
	for after := max(0, chain.First-1); len(entries) > 0; {
		for _, e := range entries {
			if _, err := w.Write(append(e, '\n')); err != nil {
				return nil //nolint:nilerr // the client went away
			}
		}
		after += int64(len(entries))
		if entries, _, err = s.store.LedgerPage(r.Context(), room.id, after, ledgerPageMost); err != nil {
			// The answer has begun: cut it, so that nobody takes it for the whole.
			panic(http.ErrAbortHandler)
		}
	}
	return nil
}
