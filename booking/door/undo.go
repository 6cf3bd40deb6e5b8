package door

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/booking"
	"github.com/ropeline/ropeline/booking/audit"
)

// Undo takes a scan back that opened a door, for a reason: the ticket stands as it did before.
// The ledger says both. Undone again it stays so. Only the last scan that moved a ticket in its
// zone is undone; one without a network that came second moved nothing, and its undoing only
// takes it off the report.
func (s *Store) Undo(ctx context.Context, id ropeline.PerformanceID, scan string, by audit.Change) error {
	if err := by.Validate(true); err != nil {
		return err
	}
	if !booking.IsID(scan) {
		return ErrUnknown
	}
	err := pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		var (
			ticket, last        *string
			zone                string
			passed, undone, won bool
		)
		err := tx.QueryRow(ctx, `select ticket_id::text, zone, passed, undone_at is not null, before_scan is null from scans where performance_id = $1 and id = $2 for update`, id, scan).
			Scan(&ticket, &zone, &passed, &undone, &won)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrUnknown
		case err != nil:
			return err
		case undone:
			return nil
		case !passed || ticket == nil:
			return ErrNothing
		}
		// Whoever moves a ticket holds its row, as door_scans does.
		if _, err := tx.Exec(ctx, `select from tickets where performance_id = $1 and id = $2 for no key update`, id, *ticket); err != nil {
			return err
		}
		if won {
			err := tx.QueryRow(ctx, `select scan_id::text from door_entries where performance_id = $1 and ticket_id = $2 and zone = $3`, id, *ticket, zone).Scan(&last)
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			if last == nil || *last != scan {
				return ErrMoved
			}
		}
		if _, err := tx.Exec(ctx, `update scans set undone_at = now(), undone_by = $3 where performance_id = $1 and id = $2`, id, scan, by.Who); err != nil {
			return err
		}
		if won {
			if err := back(ctx, tx, id, *ticket, zone); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `insert into order_ledger (performance_id, order_id, entry, ticket_id, amount, currency, who)
			select performance_id, order_id, 'scan_undone', id, 0, currency, $3 from tickets where performance_id = $1 and id = $2`, id, *ticket, by.Who); err != nil {
			return err
		}
		_, _, err = by.Note(ctx, tx, audit.Edit{What: audit.OfScan, Subject: string(id), Name: scan})
		return err
	})
	return away("undoing scan", scan, err)
}

// back makes a ticket stand as the last scan left it that is not undone.
func back(ctx context.Context, tx pgx.Tx, id ropeline.PerformanceID, ticket, zone string) error {
	tag, err := tx.Exec(ctx, `update door_entries d set inside = s.direction = 'in', scan_id = s.id, at = s.at, door = s.door, who = s.who
		from (select id, direction, at, door, who from scans
			where performance_id = $1 and ticket_id = $2 and zone = $3 and passed and undone_at is null and (before_scan is null or offline) order by at desc, taken_at desc limit 1) s
		where d.performance_id = $1 and d.ticket_id = $2 and d.zone = $3`, id, ticket, zone)
	if err == nil && tag.RowsAffected() == 0 {
		_, err = tx.Exec(ctx, `delete from door_entries where performance_id = $1 and ticket_id = $2 and zone = $3`, id, ticket, zone)
	}
	return err
}
