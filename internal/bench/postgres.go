package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ropeline/ropeline/internal/devstack"
	"github.com/ropeline/ropeline/internal/dial"
	"github.com/ropeline/ropeline/internal/migrations"
)

// Postgres is a private server that something is measured on, with all of our
// tables. What it answers is on the disk, as in production.
type Postgres struct {
	DSN     string
	Pool    *pgxpool.Pool
	PGBench string // the program

	folder *devstack.Folder
	server *devstack.Postgres
}

// StartPostgres starts one; the caller closes it.
func StartPostgres(ctx context.Context) (p *Postgres, err error) {
	p = &Postgres{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
			p = nil
		}
	}()
	if p.folder, err = devstack.OpenTemporary(ctx, devstack.Durable); err != nil {
		return p, err
	}
	if p.server, err = p.folder.StartPostgres(ctx, devstack.Durable); err != nil {
		return p, err
	}
	if p.PGBench, err = p.server.Program("pgbench"); err != nil {
		return p, err
	}
	p.DSN = p.server.DSN("postgres")
	if _, err = migrations.Run(ctx, p.DSN); err != nil {
		return p, err
	}
	p.Pool, err = dial.Postgres(ctx, p.DSN)
	return p, err
}

// Connect opens further connections, for somebody else; the caller closes them.
func (p *Postgres) Connect(ctx context.Context) (*pgxpool.Pool, error) {
	return dial.Postgres(ctx, p.DSN)
}

// CPU is the processor time that all of the server's processes have used, on
// Linux; elsewhere 0.
func (p *Postgres) CPU() (time.Duration, error) {
	server := strconv.Itoa(p.server.PID())
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var ticks int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		pid := filepath.Base(filepath.Dir(file))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 15 || pid != server && fields[1] != server {
			continue
		}
		count := fields[11:13] // its own, in user and in system mode
		if pid == server {
			count = fields[11:15] // and that of its children who have ended
		}
		for _, f := range count {
			n, err := strconv.Atoi(f)
			if err != nil {
				return 0, fmt.Errorf("odd statistics of a process: %q", text)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100), nil // a tick is 10 ms
}

// Close stops it, and removes what it wrote.
func (p *Postgres) Close() error {
	var errs []error
	if p.Pool != nil {
		p.Pool.Close()
	}
	if p.server != nil {
		errs = append(errs, p.server.Close())
	}
	if p.folder != nil {
		errs = append(errs, p.folder.Remove())
	}
	return errors.Join(errs...)
}
