package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/badge"
	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/monitor"
	"github.com/ropeline/ropeline/internal/tenant"
	"github.com/ropeline/ropeline/queue"
)

type admissionCommand struct {
	Redis  string    `required:"" placeholder:"URL" help:"Redis of the lines, redis:// or unix://."`
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder with seed.key, ledger.key, staff, badge.pub and, for publishing what staff and organizers ask for, terms.key."`
	Listen string    `default:"127.0.0.1:8082" help:"Address to serve the staff's API on, for the edges."`

	Postgres string            `placeholder:"DSN" help:"The database, where the entrants of draws, ledgers and presale codes are kept; without one they are in Redis only."`
	Archive  string            `default:"archive" placeholder:"DIR" help:"Folder for what the database does not take while it is away: entrants, and what staff do."`
	Beacon   map[string]string `placeholder:"NAME=URL" help:"Sources of public random values for draws; {time} in the address is the time, in seconds since 1970."`

	Probes string `placeholder:"FILE" help:"JSON file of addresses that the automatic mode asks how the shop does; see docs/sre.md."`

	privateListener `set:"private=9082"`
}

func (c *admissionCommand) Run(ctx context.Context, con console) (err error) {
	rdb, err := dial.Redis(c.Redis)
	if err != nil {
		return err
	}
	defer closing(&err, rdb)
	var db *pgxpool.Pool
	if c.Postgres == "" {
		con.log.Warn("without a database, a draw cannot be published any more once Redis has lost it, and presale codes are lost with it")
	} else {
		if db, err = dial.Postgres(ctx, c.Postgres); err != nil {
			return err
		}
		defer db.Close()
	}
	ln, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	reg := monitor.NewRegistry()
	probes, err := admission.LoadProbes(c.Probes, con.log)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	parts, err := newAdmission(rdb, db, c.Keys, c.Archive, c.Beacon, probes, ln, reg, con.log)
	if err == nil {
		parts, err = c.watched(ctx, reg, con.log, parts)
	}
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	con.log.Info("moving the lines", "ops", address(ln))
	return runAll(ctx, con.log, parts...)
}

// newAdmission wires the controller, the archive of draws and the staff's API.
func newAdmission(rdb redis.UniversalClient, db *pgxpool.Pool, keys keyFolder, folder string, sources map[string]string, probes *admission.Probes,
	ln net.Listener, reg prometheus.Registerer, log *slog.Logger) ([]part, error) {
	seed, err := keys.secret(seedKey)
	if err != nil {
		return nil, err
	}
	staff, err := admission.LoadStaff(keys.path(staffFile))
	if err != nil {
		return nil, err
	}
	log = log.With("part", "admission")
	beacons, err := admission.NewBeacons(sources)
	if err != nil {
		return nil, err
	}
	reg = monitor.Part(reg, "admission")
	monitor.Redis(reg, rdb)
	if db != nil {
		monitor.Postgres(reg, db)
	}
	codes, err := keys.codes()
	if err != nil {
		return nil, err
	}
	store := queue.New(rdb, queue.Keys{Seed: seed, Code: codes})
	signer, err := keys.ledgerSigner()
	if err != nil {
		return nil, err
	}
	if signer == nil {
		log.Warn("there is no ledger.key, so the ledgers are not signed; make it with: ropeline keygen init")
	}
	controller := admission.NewController(store, log).WithBeacons(beacons).WithMetrics(reg).WithLedger(nil, signer).WithProbes(probes)
	parts := []part{{"controller", controller.Run}}
	if probes != nil {
		parts = append(parts, part{"probes", probes.Run})
	}
	if db != nil {
		archive, err := admission.NewArchive(db, folder, log)
		if err != nil {
			return nil, err
		}
		store.UseArchive(archive)
		store.UseCodeBook(admission.NewCodeBook(db))
		controller.WithLedger(archive, signer).WithLimits(admission.NewLimitBook(db))
		parts = append(parts, part{"archive", archive.Run})
	}
	audit, err := admission.NewAudit(db, filepath.Join(folder, "audit"), log)
	if err != nil {
		return nil, err
	}
	audit.WithMetrics(reg)
	schedule := admission.NewSchedule(db, store, log)
	parts = append(parts, part{"audit", audit.Run})
	if db != nil {
		parts = append(parts, part{"schedule", schedule.Run})
	}
	ops := admission.NewOps(store, staff, log).WithRecords(audit, schedule)
	if p, err := newPublisher(db, rdb, keys, log); err != nil {
		return nil, err
	} else if p != nil {
		ops.WithTerms(p)
		parts = append(parts, part{"publisher", p.Run})
	}
	if db != nil {
		ops.WithPayments(paymentList{db}).WithPlans(planBook{catalogue.New(db, time.Now)}).WithOwners(saleOwners{db})
	}
	if badges, err := keys.badges(log); err != nil {
		return nil, err
	} else if badges != nil {
		ops.WithBadges(badge.NewVerifier(badges, time.Now))
		parts = append(parts, part{"badges", badges.Run})
	}
	return append(parts, part{"ops", func(ctx context.Context) error { return serve(ctx, ln, ops, log) }}), nil
}

// saleOwners tells whose sales are.
type saleOwners struct{ db *pgxpool.Pool }

func (s saleOwners) Owns(ctx context.Context, organization string, sale ropeline.SaleID) (bool, error) {
	id, err := tenant.Named(ctx, s.db, organization)
	if err != nil || id == "" { // it is not made yet
		return false, err
	}
	owner, err := tenant.Owner(ctx, s.db, tenant.Sale, string(sale))
	return owner == id, err
}
