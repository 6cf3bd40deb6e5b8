package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/ropeline/ropeline"
)

//go:embed lua/tell.lua
var tellSource string
var tellScript = newScript("tell", tellSource)

// Tell tells the public what happened to a sale: it becomes an entry of the
// sale's ledger. Data is written as a JSON object of at most 8 KB and names
// nobody; a person of the staff is given as their role. It cannot be taken back.
func (s *Store) Tell(ctx context.Context, sale ropeline.SaleID, kind string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("telling %s: %w", kind, err)
	}
	_, err = s.run(ctx, tellScript, []string{key(sale, "events")}, kind, text)
	return err
}
