package door

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
)

// Counts say how far a performance has come in.
type Counts struct {
	Now     time.Time `json:"now"`
	Valid   int       `json:"valid" doc:"tickets that may come in"`
	Entered int       `json:"entered" doc:"of those, how many have been in any zone"`
	Zones   []InZone  `json:"zones" nullable:"false"`
	Doors   []AtDoor  `json:"doors" nullable:"false"`
	Minutes []Minute  `json:"minutes" nullable:"false" doc:"of the last two hours, those in which somebody came"`
	Refused []Refused `json:"refused" nullable:"false"`
	Doubles int       `json:"doubles" doc:"people who came in by a scanner without a network, and should not have"`
	Undone  int       `json:"undone"`
}

// InZone counts who is in a zone now.
type InZone struct {
	Zone   string `json:"zone" doc:"empty: the house itself"`
	Inside int    `json:"inside"`
}

// AtDoor counts what a door let through.
type AtDoor struct {
	Door string `json:"door"`
	In   int    `json:"in"`
	Out  int    `json:"out"`
}

// Minute counts who came in within one.
type Minute struct {
	At time.Time `json:"at"`
	In int       `json:"in"`
}

// Refused counts scans that opened nothing.
type Refused struct {
	Reason Reason `json:"reason"`
	Scans  int    `json:"scans"`
}

// Counts counts. What was undone is not counted.
func (s *Store) Counts(ctx context.Context, id ropeline.PerformanceID) (Counts, error) {
	c := Counts{Zones: []InZone{}, Doors: []AtDoor{}, Minutes: []Minute{}, Refused: []Refused{}}
	err := s.db.QueryRow(ctx, `select now(),
		(select count(*) from tickets where performance_id = $1 and state = 'valid'),
		(select count(distinct ticket_id) from door_entries where performance_id = $1),
		(select count(*) from scans where performance_id = $1 and offline and passed and reason <> '' and undone_at is null),
		(select count(*) from scans where performance_id = $1 and undone_at is not null)`, id).Scan(&c.Now, &c.Valid, &c.Entered, &c.Doubles, &c.Undone)
	if err != nil {
		return c, away("counting who came to", id, err)
	}
	c.Now = c.Now.UTC()
	read := func(sql string, take func(pgx.CollectableRow) error) {
		if err != nil {
			return
		}
		var rows pgx.Rows
		if rows, err = s.db.Query(ctx, sql, id); err == nil {
			_, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (struct{}, error) { return struct{}{}, take(r) })
		}
	}
	read(`select zone, count(*) from door_entries where performance_id = $1 and inside group by 1 order by 1`, func(r pgx.CollectableRow) error {
		var z InZone
		defer func() { c.Zones = append(c.Zones, z) }()
		return r.Scan(&z.Zone, &z.Inside)
	})
	read(`select door, count(*) filter (where direction = 'in'), count(*) filter (where direction = 'out') from scans
		where performance_id = $1 and passed and undone_at is null group by 1 order by 1`, func(r pgx.CollectableRow) error {
		var d AtDoor
		defer func() { c.Doors = append(c.Doors, d) }()
		return r.Scan(&d.Door, &d.In, &d.Out)
	})
	read(`select date_trunc('minute', at), count(*) from scans
		where performance_id = $1 and passed and direction = 'in' and undone_at is null and at > now() - interval '2 hours' group by 1 order by 1`, func(r pgx.CollectableRow) error {
		var m Minute
		defer func() { m.At = m.At.UTC(); c.Minutes = append(c.Minutes, m) }()
		return r.Scan(&m.At, &m.In)
	})
	read(`select reason, count(*) from scans where performance_id = $1 and not passed group by 1 order by 2 desc, 1`, func(r pgx.CollectableRow) error {
		var f Refused
		defer func() { c.Refused = append(c.Refused, f) }()
		return r.Scan(&f.Reason, &f.Scans)
	})
	return c, away("counting who came to", id, err)
}
