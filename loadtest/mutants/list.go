package main

import "github.com/ropeline/ropeline/loadtest"

// mutant is a build that is broken on purpose, and the invariants of which at
// least one must notice.
type mutant struct {
	name    string
	breaks  string // what is wrong with it
	noticed []string
	edits   []edit
}

// edit replaces one text of one file. The text must be there exactly once.
type edit struct {
	file     string // from the module's root
	old, new string
}

// mutants are the faults that the load test must be able to see.
var mutants = []mutant{
	{"cap-raised", "the script admits up to twice the cap", []string{loadtest.InvCap}, []edit{
		{"queue/lua/prelude.lua", `local free = cap -`, `local free = 2 * cap -`},
	}},
	{"offers-uncounted", "offers do not count towards the cap", []string{loadtest.InvCapOffered}, []edit{
		{"queue/lua/prelude.lua", `local free = cap - redis.call('ZCARD', offered) - `, `local free = cap - `},
	}},
	{"token-outlives", "a slot is free before the session's token has expired", []string{loadtest.InvCap}, []edit{
		{"queue/lua/claim.lua",
			`redis.call('ZADD', KEYS[3], (exp + margin) * 1000, place)`,
			`redis.call('ZADD', KEYS[3], (exp - margin) * 1000, place)`},
	}},
	{"cursor-skips", "the cursor skips one place after each batch of offers", []string{loadtest.InvForgotten, loadtest.InvOrder}, []edit{
		{"queue/stand.go", "cursor = max(cursor, c.ordinal+1)", "cursor = max(cursor, c.ordinal+2)"},
	}},
	{"departed-off", "who leaves is marked one place too far back", []string{loadtest.InvForgotten, loadtest.InvLeavers}, []edit{
		{"queue/lua/leave.lua", `redis.call('SETBIT', KEYS[5], rank, 1)`, `redis.call('SETBIT', KEYS[5], rank + 1, 1)`},
	}},
	{"unit-sold-twice", "the hold script does not look and the unique index is gone", []string{loadtest.InvUnits}, []edit{
		{"booking/hold/lua/choose_units.lua", `redis.call('GETBIT', KEYS[2], ARGV[i]) == 1`, `redis.call('GETBIT', KEYS[2], ARGV[i]) == 2`},
		{"internal/migrations/0001_booking.sql", `create unique index tickets_unit_once`, `create index tickets_unit_once`},
	}},
	{"capture-skipped", "orders are marked as paid without the money being taken", []string{loadtest.InvConfirmed}, []edit{
		{"booking/order/steps.go",
			`p, err := s.provider.Capture(call, a.ID)`,
			`p, err := payment.Payment{State: payment.Captured}, call.Err()`},
	}},
	{"sweeper-drops", "one unit of each expired hold never comes back", []string{loadtest.InvHolds}, []edit{
		{"booking/hold/lua/sweep.lua",
			`    finish(KEYS[7] .. id, id, 'expired')`,
			`    local lost = string.match(redis.call('HGET', KEYS[7] .. id, 'units'), '%d+')
    finish(KEYS[7] .. id, id, 'expired')
    redis.call('SETBIT', KEYS[2], lost, 1)`},
	}},
}
