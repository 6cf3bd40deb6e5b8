package main

import (
	"context"
	"fmt"

	"github.com/ropeline/ropeline/internal/migrations"
)

type migrateCommand struct {
	Postgres string `required:"" placeholder:"DSN" help:"The database."`
}

func (c *migrateCommand) Run(ctx context.Context, con console) error {
	applied, err := migrations.Run(ctx, c.Postgres)
	for _, name := range applied {
		fmt.Fprintln(con.out, "applied", name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(con.out, "nothing to apply")
	}
	return err
}
