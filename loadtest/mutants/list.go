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
		{"queue/lua/prelude.lua", `local free = cap - s.offered - `, `local free = cap - `},
	}},
	{"token-outlives", "a slot is free before the session's token has expired", []string{loadtest.InvCap}, []edit{
		{"queue/lua/claim.lua",
			`redis.call('ZADD', KEYS[3], (exp + margin) * 1000, slot)`,
			`redis.call('ZADD', KEYS[3], (exp - margin) * 1000, slot)`},
	}},
	{"cursor-skips", "the cursor skips one place after each batch of offers", []string{loadtest.InvForgotten, loadtest.InvOrder}, []edit{
		{"queue/lua/advance.lua", `redis.call('HSET', KEYS[1], 'cursor', to)`, `redis.call('HSET', KEYS[1], 'cursor', to + 1)`},
	}},
	{"departed-off", "who leaves is marked one place too far back", []string{loadtest.InvForgotten, loadtest.InvLeavers}, []edit{
		{"queue/lua/leave.lua", `redis.call('SETBIT', KEYS[5], rank, 1)`, `redis.call('SETBIT', KEYS[5], rank + 1, 1)`},
	}},
	{"unit-sold-twice", "the hold script does not look and the unique index is gone", []string{loadtest.InvUnits}, []edit{
		{"booking/hold/lua/choose.lua", `if was == 0 or bit.band`, `if was >= 0 or bit.band`},
		{"internal/migrations/0001_booking.sql", `create unique index tickets_unit_once`, `create index tickets_unit_once`},
	}},
	{"capture-skipped", "orders are marked as paid without the money being taken", []string{loadtest.InvConfirmed}, []edit{
		{"booking/order/steps.go",
			`p, err := s.provider.Capture(call, a.charge())`,
			`p, err := payment.Payment{State: payment.Captured}, call.Err()`},
	}},
	{"sweeper-drops", "one unit of each expired hold never comes back", []string{loadtest.InvHolds}, []edit{
		{"booking/hold/lua/sweep.lua",
			`    finish(KEYS[7] .. id, id, 'expired')`,
			`    local lost = string.match(redis.call('HGET', KEYS[7] .. id, 'units'), '%d+')
    finish(KEYS[7] .. id, id, 'expired')
    redis.call('SETBIT', KEYS[2], lost, 1)`},
	}},
	{"wait-halved", "estimates are made for half of those ahead", []string{loadtest.InvEstimate}, []edit{
		{"queue/estimate.go", `v.Gauge.turns(lane, float64(position))`, `v.Gauge.turns(lane, float64(position)/2)`},
	}},
	{"shares-ignored", "lanes take turns as if their shares were the same", []string{loadtest.InvShares}, []edit{
		{"queue/lua/offer.lua", `lane.lead + size * lane.cost`, `lane.lead + size`},
	}},
	{"forged-invited", "any key signs invitations", []string{loadtest.InvLanes}, []edit{
		{"edge/visitor/invitation.go", `if ed25519.Verify(key, []byte(text), signature) {`, `if ed25519.Verify(key, []byte(text), signature) || key != nil {`},
	}},
	{"longer-untold", "nobody is told why it takes longer", []string{loadtest.InvLonger}, []edit{
		{"queue/estimate.go", `w.Longer = v.Gauge.Longer`, `w.Longer = ""`},
	}},
	{"draw-by-other-bits", "the score of a place is not what the draw's description says", []string{loadtest.InvDraw}, []edit{
		{"queue/draw/draw.go", `>> 12`, `<< 8 >> 12`},
	}},
	{"order-lost", "a line that was lost comes back the other way round", []string{loadtest.InvKept, loadtest.InvOrder, loadtest.InvLobby}, []edit{
		{"queue/lua/register.lua", `redis.call('ZADD', KEYS[2], 'NX', score, place)`, `redis.call('ZADD', KEYS[2], 'NX', 9007199254740991 - score, place)`},
	}},
	{"offered-again", "after a loss the line begins some places too early, and nobody remembers who had a turn", []string{loadtest.InvOnce}, []edit{
		{"queue/lua/settle.lua", `local cursor = redis.call('ZCOUNT', KEYS[2], '-inf', score)`, `local cursor = math.max(0, redis.call('ZCOUNT', KEYS[2], '-inf', score) - 30)`},
		{"queue/lua/reinstate.lua", `redis.call('HSETNX', KEYS[4], place, number_)`, ``},
	}},
	{"offer-forgotten", "an offer that is not put back yet is refused for good", []string{loadtest.InvHonored}, []edit{
		{"queue/lua/claim.lua", `return forgotten(KEYS[1], now * 1000) or redis.error_reply('NOOFFER nothing is offered')`, `return redis.error_reply('NOOFFER nothing is offered')`},
	}},
	{"friends-uncounted", "a party takes one slot, however many are in it", []string{loadtest.InvCap, loadtest.InvCapOffered}, []edit{
		{"queue/lua/prelude.lua", `  for n = 2, size do slots[n] = place .. '#' .. n end
`, ``},
	}},
	{"odds-rosy", "whoever waits is told of a good chance, as long as there is any", []string{loadtest.InvOdds}, []edit{
		{"odds/odds.go", `goodFrom = 0.75`, `goodFrom = 1e-9`},
	}},
	{"trick-passes", "dot segments are no reason to refuse an address", []string{loadtest.InvForeign}, []edit{
		{"edge/passage/path.go", `if segment != "" && strings.ContainsRune(`, `if segment == "." && strings.ContainsRune(`},
	}},
	{"net-over-cap", "a safety net lets people in at once though no slot is free", []string{loadtest.InvCap}, []edit{
		{"queue/lua/pass.lua", `room_ <= waits +`, `room_ < waits +`},
	}},
	{"net-passes-by", "a safety net lets newcomers in before those who stand in its line", []string{loadtest.InvNetOrder}, []edit{
		{"queue/lua/pass.lua", `room_ <= waits + redis.call('ZCARD', KEYS[7])`, `room_ < 1`},
	}},
	{"net-half-empty", "the line gets no slot before eight are free", []string{loadtest.InvNetRoom}, []edit{
		{"queue/lua/offer.lua", `local _, bucket, free, people = room(s, ms, tonumber(ARGV[3]))`, `local _, bucket, free, people = room(s, ms, tonumber(ARGV[3]))
free = free - 8`},
	}},
	{"net-stays-busy", "a safety net never forgets whom it told to wait", []string{loadtest.InvNetRoom}, []edit{
		{"queue/lua/pass.lua", `redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', ms - 10000)
`, ``},
	}},
	{"net-rate-unused", "whom a safety net lets in at once does not count towards the rate", []string{loadtest.InvNetRate}, []edit{
		{"queue/lua/pass.lua", `text(bucket - 60000)`, `text(bucket)`},
	}},
	{"sales-in-a-row", "sales are ticked one after the other, and who comes wakes nobody", []string{loadtest.InvQuiet}, []edit{
		{"admission/controller.go", `calmTicks = 12`, `calmTicks = 1`},
		{"queue/lua/join.lua", `if empty then wake`, `if false then wake`},
	}},
	{"auto-never-cuts", "the automatic mode only ever lets more in", []string{loadtest.InvAutomatic}, []edit{
		{"admission/auto/law.go", `	return b.hold(next), cause
}

// grope`, `	return max(rate, b.hold(next)), cause
}

// grope`},
	}},
	{"comeback-dropped", "an edge that a fan has left takes the place off that another one took back", []string{loadtest.InvReturns}, []edit{
		{"queue/lua/away.lua", `if not elsewhere and redis`, `if redis`},
	}},
}

// inProof are faults that the proof must be able to see: a sell-out through cut
// connections (docs/proof.md), in its short form.
var inProof = []mutant{
	{"proof-sold-twice", "the hold script does not look and the unique index is gone", []string{loadtest.InvUnits}, []edit{
		{"booking/hold/lua/choose.lua", `if was == 0 or bit.band`, `if was >= 0 or bit.band`},
		{"internal/migrations/0001_booking.sql", `create unique index tickets_unit_once`, `create index tickets_unit_once`},
	}},
	{"proof-redis-believed", "what a Redis that forgot is told leaves out what is sold, and the unique index is gone", []string{loadtest.InvUnits}, []edit{
		{"booking/order/store.go", `units(ctx, tx, id, "valid", "blocked", "void")`, `units(ctx, tx, id, "canceled")`},
		{"internal/migrations/0001_booking.sql", `create unique index tickets_unit_once`, `create index tickets_unit_once`},
	}},
	{"proof-not-captured", "orders are marked as paid without the money being taken", []string{loadtest.InvConfirmed}, []edit{
		{"booking/order/steps.go", `p, err := s.provider.Capture(call, a.charge())`, `p, err := payment.Payment{State: payment.Captured}, call.Err()`},
	}},
	{"proof-answer-lost", "a payment whose answer was lost is not looked for, and what is reserved for an attempt that failed is not let go", []string{"provider"}, []edit{
		{"booking/order/desk.go", `	if findErr == nil {
		return found, nil`, `	if findErr == nil && found.State == "" {
		return found, nil`},
		{"booking/order/steps.go", `		return s.late(ctx, a, p)
	case p.State == payment.NeedsAction:`, `		return a, nil
	case p.State == payment.NeedsAction:`},
	}},
	{"proof-cent-missing", "a cent less is written into the ledger than was captured", []string{"ledger"}, []edit{
		{"booking/order/write.go", `when $7 = 'captured' then moved.amount else total`, `when $7 = 'captured' then moved.amount - 1 else total`},
	}},
	{"proof-unit-lost", "one unit of each expired hold never comes back", []string{loadtest.InvInventory, "stock", "sold-out"}, []edit{
		{"booking/hold/lua/sweep.lua",
			`    finish(KEYS[7] .. id, id, 'expired')`,
			`    local lost = string.match(redis.call('HGET', KEYS[7] .. id, 'units'), '%d+')
    finish(KEYS[7] .. id, id, 'expired')
    redis.call('SETBIT', KEYS[2], lost, 1)`},
	}},
	{"proof-key-forgotten", "who asks again with the same key is told that it was another request", []string{"answered", "orders-known"}, []edit{
		{"booking/order/desk.go", `	if !bytes.Equal(a.MAC, mac) {`, `	if bytes.Equal(a.MAC, mac) {`},
	}},
}

// verdictsOfProof are those that no profile of the load test has.
var verdictsOfProof = []string{"answered", "ledger", "provider", "stock", "sold-out"}

// loads says what a mutant is tried with, where the short profile would not
// meet what it breaks.
var loads = map[string][]string{
	"wait-halved":        {"--profile", "mutant-wait"},
	"shares-ignored":     {"--profile", "presale", "--fans", "200"},
	"forged-invited":     {"--profile", "presale", "--fans", "120"},
	"longer-untold":      {"--profile", "mutant-wait"},
	"draw-by-other-bits": {"--profile", "lobby", "--fans", "100"},
	"order-lost":         {"--profile", "redis-loss", "--fans", "150"},
	"offered-again":      {"--profile", "redis-loss", "--fans", "150"},
	"trick-passes":       {"--profile", "any-shop", "--fans", "80"},
	"net-over-cap":       {"--profile", "safety-net"},
	"net-passes-by":      {"--profile", "safety-net"},
	"net-half-empty":     {"--profile", "safety-net"},
	"net-stays-busy":     {"--profile", "safety-net"},
	"net-rate-unused":    {"--profile", "safety-net"},
	"friends-uncounted":  {"--profile", "mutant-party"},
	"offer-forgotten":    {"--profile", "redis-loss", "--fans", "250"},
	"odds-rosy":          {"--profile", "sell-out"},
	"sales-in-a-row":     {"--profile", "many-sales"},
	"auto-never-cuts":    {"--profile", "slow-core"},
	"comeback-dropped":   {"--profile", "flaky-phones", "--fans", "350"}, // six minutes
}

// load is the load of a mutant.
func load(name string) []string {
	if args := loads[name]; args != nil {
		return args
	}
	return []string{"--profile", "mutant"}
}
