package main

import (
	"context"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/tidings"
	"github.com/ropeline/ropeline/queue"
)

// nearTurns are the turns of all lines that are near, as whoever writes letters asks for them.
type nearTurns struct {
	line *queue.Store
	read map[string]queue.Near // by sale and place: of the last that were asked for
}

func (n *nearTurns) Near(ctx context.Context, most int) ([]tidings.Turn, error) {
	found, err := n.line.NearTurns(ctx, int64(most))
	n.read = make(map[string]queue.Near, len(found))
	turns := make([]tidings.Turn, len(found))
	for i, f := range found {
		turns[i] = tidings.Turn{Sale: string(f.Sale), Place: string(f.Place), Email: f.Email, Language: f.Language, Link: f.Link}
		n.read[turns[i].Sale+" "+turns[i].Place] = f
	}
	return turns, err
}

func (n *nearTurns) Told(ctx context.Context, t tidings.Turn) error {
	return n.line.NearTold(ctx, n.read[t.Sale+" "+t.Place])
}

// newTurner wires who writes that a turn is near: nobody without code.key, with which the
// edges seal addresses.
func newTurner(rdb redis.UniversalClient, keys keyFolder, w *tidings.Writer, accounts *people.Store, log *slog.Logger) ([]part, error) {
	codes, err := keys.codes()
	if err != nil {
		return nil, err
	}
	if codes == nil {
		log.Warn("there is no code.key, so nobody is told that their turn is near; make it with: ropeline keygen init")
		return nil, nil
	}
	line := &nearTurns{line: queue.New(rdb, queue.Keys{Code: codes})}
	return []part{{"turns that are near", tidings.NewTurner(line, w, accounts.Known, log).Run}}, nil
}

var _ tidings.Line = (*nearTurns)(nil)
