package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// What pgbench writes: the rows of Store.Start, Record, Paid and Done, by the
// plain statements that one would write for one sale. :k is the number of the
// sale; ids are made of it.
const (
	startSQL = `
insert into attempts (performance_id, id, hold_id, sale_id, session_id, place_id, idempotency_key, request_mac, units, amount, currency, method, state)
values ('SHOW', ID, ID, 'bench', ID::text, 'place', ID::text, decode(repeat('00', 32), 'hex'), array[UNIT, UNIT + 1], 9000, 'EUR', 'sandbox_ok', 'started')
on conflict do nothing;
`
	recordSQL = `
begin;
update attempts set state = 'recorded', provider_ref = 'ref', updated_at = now() where performance_id = 'SHOW' and id = ID and state = 'started';
insert into buyers (id, email) values (ID, 'fan@example.org');
insert into orders (performance_id, id, sale_id, session_id, place_id, attempt_id, buyer_id, state, amount, currency)
values ('SHOW', ID, 'bench', ID::text, 'place', ID, ID, 'pending', 9000, 'EUR');
insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
values ('SHOW', ID, ID, UNIT, 'TIER', 'Standing-' || UNIT, 4500, 'EUR', 'unpaid', md5(UNIT::text));
insert into tickets (performance_id, id, order_id, unit, tier_id, label, amount, currency, state, code)
values ('SHOW', OTHER, ID, UNIT + 1, 'TIER', 'Standing-' || UNIT + 1, 4500, 'EUR', 'unpaid', md5((UNIT + 1)::text));
insert into order_ledger (performance_id, order_id, entry, amount, currency) values ('SHOW', ID, 'placed', 9000, 'EUR');
insert into order_ledger (performance_id, order_id, entry, amount, currency) values ('SHOW', ID, 'authorized', 9000, 'EUR');
commit;
`
	paidSQL = `
begin;
update attempts set state = 'captured', outcome = '', updated_at = now() where performance_id = 'SHOW' and id = ID and state = 'recorded';
update orders set state = 'paid', updated_at = now() where performance_id = 'SHOW' and attempt_id = ID and state = 'pending';
update tickets set state = 'valid', updated_at = now() where performance_id = 'SHOW' and order_id = ID and state = 'unpaid';
insert into order_ledger (performance_id, order_id, entry, amount, currency) values ('SHOW', ID, 'captured', 9000, 'EUR');
commit;
`
	doneSQL = `
update attempts set state = 'done', updated_at = now() where performance_id = 'SHOW' and id = ID and state = 'captured';
`
)

// words puts in what the statements leave open.
func (d *desk) words(script string) string {
	id := func(kind string) string {
		return `('00000000-0000-` + kind + `-8000-' || lpad(:k::text, 12, '0'))::uuid`
	}
	return strings.NewReplacer("SHOW", string(d.show), "TIER", d.tier.ID, "ID", id("4000"), "OTHER", id("4001"), "UNIT", "(2 * :k::integer)").Replace(script)
}

var tps = regexp.MustCompile(`tps = ([\d.]+) `)

// pgbench runs a script for the next sales and returns how many it does in a
// second.
func (d *desk) pgbench(ctx context.Context, script string, clients, each int) (float64, error) {
	dir, err := os.MkdirTemp("", "ropeline-pgbench-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "script.sql")
	text := `\set n :n + 1` + "\n" + `\set k :first + :client_id * :each + :n` + d.words(script)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, err
	}
	said, err := exec.CommandContext(ctx, d.server.PGBench, "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2", "-t", strconv.Itoa(each),
		"-D", "n=-1", "-D", "first="+strconv.Itoa(d.sold), "-D", "each="+strconv.Itoa(each), "-f", file, d.server.DSN).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, said)
	}

	found := tps.FindSubmatch(said)
	if found == nil {
		return 0, fmt.Errorf("pgbench says %s", said)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
