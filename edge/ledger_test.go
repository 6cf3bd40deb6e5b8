package edge

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
	"github.com/ropeline/ropeline/queue/ledger"
)

// enter puts so many entries into the ledger, as a controller does.
func (g *rig) enter(n int) {
	g.Helper()
	chain, err := g.store.Chain(g.Context(), g.sale.ID)
	must(g.TB, err)
	head := chain.Head
	if head.Hash == "" {
		head = ledger.Start(g.sale.ID)
	}
	var entries []ledger.Entry
	for i := range n {
		var e ledger.Entry
		e, head, err = head.Next(time.Now(), "message", fmt.Appendf(nil, `{"n":%d}`, i))
		must(g.TB, err)
		entries = append(entries, e)
	}
	behind := chain.Head.Hash
	chain.Head = head
	written, err := g.store.AppendLedger(g.Context(), behind, entries, chain, time.Now())
	if must(g.TB, err); !written {
		g.Fatal("the ledger has another head")
	}
	if again, err := g.store.AppendLedger(g.Context(), behind, entries, queue.Chain{Head: head}, time.Now()); again || err != nil {
		g.Fatalf("appended twice: %v, %v", again, err)
	}
}

func TestTheLedgerIsPublicInPagesAndAsAFile(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	f := g.browser()
	page := func(query string) wire.Ledger {
		t.Helper()
		return read[wire.Ledger](t, wantStatus(t, f.do("GET", "ledger"+query, ""), http.StatusOK))
	}
	if doc := page(""); len(doc.Entries) != 0 || doc.Head.Seq != 0 || doc.Next != 0 {
		t.Errorf("before anything happened: %+v", doc)
	}
	g.enter(1500)
	g.enter(750)
	var entries []ledger.Entry
	pages := 0
	for next := int64(0); ; pages++ {
		doc := page(fmt.Sprintf("?limit=1000&after=%d", next))
		for _, text := range doc.Entries {
			e, err := ledger.Parse(text)
			must(t, err)
			entries = append(entries, e)
		}
		if next = doc.Next; next == 0 {
			break
		}
	}
	file := wantStatus(t, f.do("GET", "ledger/file", ""), http.StatusOK)
	filed, err := ledger.Read(bytes.NewReader(file.body))
	must(t, err)
	for name, all := range map[string][]ledger.Entry{"pages": entries, "file": filed} {
		if len(all) != 2250 {
			t.Fatalf("%s: %d entries, want 2250", name, len(all))
		}
		for _, c := range ledger.Verify(all, nil) {
			if c.Err != nil {
				t.Errorf("%s: %s: %v", name, c.What, c.Err)
			}
		}
	}
	if doc := page("?after=-5"); len(doc.Entries) != 5 || doc.Next != 0 || doc.Head.Hash != filed[2249].Hash {
		t.Errorf("the newest five: %d entries, head %+v", len(doc.Entries), doc.Head)
	}
	if len(page("").Entries) != 100 || pages != 2 || len(page("?after=9999").Entries) != 0 {
		t.Errorf("pages are of another size")
	}
	for _, query := range []string{"?after=x", "?after=-1001", "?limit=0", "?limit=1001", "?limit=x", "?after=99999999999999999999"} {
		wantProblem(t, f.do("GET", "ledger"+query, ""), http.StatusUnprocessableEntity, "cursor-invalid")
	}
}
