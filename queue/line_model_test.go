package queue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/queue/draw"
)

// The model: the line as a slice and every rule of it in plain Go. The
// property test does random operations to both and compares every fan.

type fan struct {
	id      ropeline.PlaceID
	visitor string
	state   ropeline.PlaceState // passed over: waiting before the cursor
	shard   int                 // which line it stands in
	lane    int                 // of the sale
	ordinal int64               // in it; −1 before the draw
	reached bool                // the cursor is past it
	score   int64               // −1 before the draw
	number  int64               // of the offer
	claimBy int64               // ms
	slot    int64               // ms
	exp     int64               // s
	ends    int64               // s
	ended   bool                // by end, the slot is gone
	sid     string
	keeps   map[string]kept // why the slot is kept for longer than the token lives, by hold

	edge    int   // where the fan is present, −1 for nowhere
	told    bool  // the presence is in Redis
	missed  int64 // ms, when the offer ran out
	again   bool  // a missed turn was repeated: not another time
	allowed bool  // it may be, and was not yet
	back    bool  // before everybody
	stands  int64 // by this, if it has no score: how far the line had come when it came back
	late    bool  // beside the line
	lost    bool  // the line does not know the place
	beside  bool  // its offer did not come by the order of the line
	dropped bool  // left with a turn or the right to one: that is noted where its session would be
	passed  bool  // through a safety net, without a line
	gaveUp  bool  // left when it was offered: it keeps its ordinal, which nobody counts any more
	epoch   string
	copies  int // how often it moved to another device: the newest ticket's generation
	stored  int // the generation that Redis knows

	ruled bool // let past the line by a rule: it stands in none

	party
	reentry
}

// kept is until when a hold keeps a slot, and whether it is being paid for.
type kept struct {
	until int64 // ms
	pays  bool
}

// latest is until when anything of these keeps a slot, 0 for nothing.
func latest(keeps map[string]kept, now int64, paysOnly bool) (until int64) {
	for _, k := range keeps {
		if k.until > now && (k.pays || !paysOnly) {
			until = max(until, k.until)
		}
	}
	return until
}

// edgeModel is one edge's standing in each line.
type edgeModel struct {
	dead bool
	at   [modelLines]struct {
		beat     int64 // ms, 0 never
		reported string
	}
}

// modelLines is the most lines that the model has.
const modelLines = 4

// modelLanes are the shares that the lanes of a sale with so many begin with.
var modelLanes = map[int][]int64{1: {100}, 2: {75, 25}, 3: {50, 30, 20}}

type model struct {
	sale   ropeline.Sale
	now    int64 // us
	fans   []*fan
	lines  [][]*fan // each by ordinal
	shape  shape
	scores []int64 // of each lane: of the last offered in its order
	leads  []int64 // of each lane: how far it is ahead of its share
	people []int64 // of each lane: ever offered
	last   int64   // offer number
	most   int64   // offers in one tick
	steering
	drawn   bool
	bucket  int64
	filled  int64             // ms, when the bucket was
	epochs  []string          // of each line
	epochAt []int64           // ms
	heard   []int64           // ms, when the line began to settle last: who was heard since is waited for; 0 for never
	losses  []int             // of each line
	passes  []map[int64]int64 // of each line: how far the cursor had come in which second
	ghosts  int64
	haunted int64 // ms, until when
	edges   [2]edgeModel
	left    int64 // the line before they were reached

	stock *stockModel // nil: no word of it
	queueing
	bypassing
	waits    int64          // in a safety net: who waited at the last tick, −1 if that is not known
	standing map[*fan]int64 // who was sent to the line, and when (ms)
	anyParty bool           // since the last loss
	largest  int            // party, since the last loss
	brought  int64          // who stood in line in parties, beside one of each
}

// hadTurn: a place that passed a safety net had one, without a number.
func (f *fan) hadTurn() bool { return f.number > 0 || f.passed }

func (m *model) ms() int64  { return m.now / 1000 }
func (m *model) sec() int64 { return m.now / 1_000_000 }

func (m *model) running() bool {
	return m.ms() >= m.sale.OpensAt.UnixMilli() && m.ms() < m.sale.EndsAt.UnixMilli() && !m.standsStill()
}

func (m *model) inUse() (n int64) {
	for _, f := range m.fans {
		n += f.slots()
	}
	return n
}

func (m *model) join(f *fan) {
	m.fans = append(m.fans, f)
	f.state, f.ordinal, f.score = ropeline.PlaceCollected, -1, -1
	m.edges[f.edge].at[f.shard].beat = m.ms()
	if m.drawn {
		m.place(f)
		f.told, f.epoch = true, m.epoch(f.lane)
	}
}

// epoch is that of a lane.
func (m *model) epoch(lane int) string { return epochOf(of(m.shape, m.epochs, lane)) }

func (m *model) place(f *fan) {
	if f.state == ropeline.PlaceCollected {
		f.state = ropeline.PlaceWaiting
	}
	f.ordinal = int64(len(m.lines[f.shard]))
	m.lines[f.shard] = append(m.lines[f.shard], f)
}

// order is that of a sale: equal scores go by the bytes of the id. There are
// some if several lines give them in the same microsecond.
func order(a, b *fan) int {
	stands := func(f *fan) int64 { return max(f.score, f.stands) }
	return cmp.Or(cmp.Compare(stands(a), stands(b)), strings.Compare(string(a.id), string(b.id)))
}

// cursor is how many the cursors of all lines are past.
func (m *model) cursor() (n int64) {
	for _, line := range m.lines {
		for _, f := range line {
			if f.reached {
				n++
			}
		}
	}
	return n
}

// draw orders the lobby by score and appends who joined after its close.
func (m *model) draw(drawKey draw.Hash, lobby map[ropeline.PlaceID]bool) {
	var drawn, late []*fan
	for _, f := range m.fans {
		switch {
		case f.lost, f.ruled:
		case lobby[f.id]:
			drawn = append(drawn, f)
		case f.state == ropeline.PlaceCollected || f.state == ropeline.PlaceLeft:
			late = append(late, f)
		}
	}
	slices.SortFunc(drawn, func(a, b *fan) int {
		return cmp.Or(cmp.Compare(draw.Score(drawKey, a.id), draw.Score(drawKey, b.id)), strings.Compare(string(a.id), string(b.id)))
	})
	slices.SortFunc(late, order)
	m.drawn = true
	for i := range m.lines {
		m.epochAt[i] = m.ms()
	}
	for _, f := range append(drawn, late...) {
		m.place(f)
	}
}

func (m *model) waitsInLine(f *fan) bool {
	return f.state == ropeline.PlaceWaiting && !f.lost && !f.late && !f.back && f.ordinal >= 0 && !f.reached
}

func (m *model) passedOver(f *fan) bool {
	return f.state == ropeline.PlaceWaiting && !f.lost && !f.late && !f.back && f.ordinal >= 0 && f.reached
}

func (m *model) position(f *fan) (n int64) {
	if f.back {
		return 0
	}
	for _, o := range m.fans {
		if o.lane == f.lane && (m.waitsInLine(o) && order(o, f) < 0 || o.late && o.score < f.score) {
			n++
		}
	}
	return n
}

func (m *model) waiting() (n int64) {
	for _, f := range m.fans {
		if m.waitsInLine(f) || f.back || f.late {
			n++
		}
	}
	return n
}

func (m *model) present(f *fan) bool {
	return f.edge >= 0 && f.told && m.ms()-m.edges[f.edge].at[f.shard].beat <= 60_000
}

// beats is an edge that says to a line that it lives. None has in the future.
func (m *model) beats(edge, shard int) {
	m.edges[edge].at[shard].beat = m.ms()
	for i := range m.edges {
		at := &m.edges[i].at[shard]
		at.beat = min(at.beat, m.ms())
	}
}

// ready reports whether every edge that lives has said who is present.
func (m *model) ready() bool {
	for i, epoch := range m.epochs {
		if m.ms()-m.epochAt[i] >= 5000 {
			continue
		}
		from := m.ms() - 3000
		if m.heard[i] > 0 {
			from = min(from, m.heard[i])
		}
		for _, e := range m.edges {
			if e.at[i].beat > 0 && e.at[i].beat >= from && e.at[i].reported != epoch {
				return false
			}
		}
	}
	return true
}

// fronts lists who is to be offered next by each lane, in order; at most most.
func (m *model) fronts(most int64) [][]*fan {
	fronts := make([][]*fan, len(m.scores))
	if !m.drawn || !m.ready() {
		return fronts
	}
	for lane := range fronts {
		fronts[lane] = m.front(lane)
		fronts[lane] = fronts[lane][:min(most, int64(len(fronts[lane])))]
	}
	return fronts
}

func (m *model) front(lane int) []*fan {
	var back, others []*fan
	for _, f := range m.fans {
		switch {
		case f.lane != lane:
		case f.back:
			back = append(back, f)
		case f.late, m.waitsInLine(f) && m.present(f):
			others = append(others, f)
		}
	}
	slices.SortFunc(back, order)
	slices.SortFunc(others, order)
	var all []*fan
	for i := range max(len(back), len(others)) {
		all = append(all, back[min(i, len(back)):min(i+1, len(back))]...)
		all = append(all, others[min(i, len(others)):min(i+1, len(others))]...)
	}
	return all
}

func (m *model) expire() {
	for _, f := range m.fans {
		if f.state == ropeline.PlaceOffered && f.claimBy <= m.turnTime() {
			f.state, f.missed = ropeline.PlaceExpired, m.ms()
		}
		if f.slot > 0 && f.slot <= m.turnTime() {
			f.slot = 0
		}
		f.more = slices.DeleteFunc(f.more, func(until int64) bool { return until <= m.turnTime() })
	}
}

// stockModel is what is known of the stock.
type stockModel struct{ at, supports, engaged int64 }

// wanted is for how many people more there is stock.
func (m *model) wanted() int64 {
	if m.stock == nil {
		return math.MaxInt64
	}
	more := m.stock.supports + m.stock.engaged - m.inUse()
	if m.stock.supports == 0 {
		more = min(more, 0)
	}
	return more
}

// room is how many people may be offered, how many slots are free, and for how
// many people there is stock.
func (m *model) room() (room, free, people int64) {
	if !m.running() {
		m.bucket = 0
		return 0, 0, 0
	}
	if m.filled == 0 {
		m.filled = m.ms() // the bucket starts empty
	}
	if m.ms()-m.foundAt < 1000 {
		m.bucket = 0
		return 0, 0, 0
	}
	if m.mode == ropeline.ModePass {
		m.bucket = 1e15
		return 1_000_000, 1_000_000_000, 1_000_000_000
	}
	tick := TickInterval.Milliseconds()
	m.bucket = min(m.bucket+max(0, m.ms()-m.filled)*m.limits.Rate, 60000+2*tick*m.limits.Rate)
	ghosts := int64(0)
	if m.ms() < m.haunted {
		ghosts = m.ghosts
	}
	free, people = m.limits.Cap-m.inUse()-ghosts, m.wanted()
	return max(0, min(free, m.bucket/60000, people)), free, people
}

// tick offers places.
func (m *model) tick() {
	m.expire()
	m.prove()
	room, free, people := m.room()
	fronts := make([][]*fan, len(m.scores))
	if room > 0 {
		if m.anyParty {
			room = 2*room + partiesAside
		}
		room = min(room, m.most)
		fronts = m.fronts(room)
	}
	lasts := make([]*fan, len(m.scores))
	pass := func(f *fan) {
		if last := lasts[f.lane]; last == nil || order(last, f) < 0 {
			lasts[f.lane], m.scores[f.lane] = f, max(m.scores[f.lane], f.score)
		}
	}
	offered, aside := m.next(fronts, room, free, people)
	for _, f := range aside {
		if m.waitsInLine(f) {
			pass(f)
		}
		f.back, f.late = true, false
	}
	for _, f := range offered {
		m.last++
		if m.waitsInLine(f) {
			pass(f)
		}
		f.again, f.beside = f.again || f.allowed, f.back || f.late
		delete(m.standing, f)
		f.state, f.number, f.claimBy = ropeline.PlaceOffered, m.last, m.ms()+m.claimWindow*1000
		f.back, f.late, f.allowed, f.missed = false, false, false, 0
	}
	for k, line := range m.lines {
		reached, last := int64(0), lasts[k/m.shape.shards]
		for _, f := range line {
			if last != nil && order(f, last) <= 0 && !f.reached {
				f.reached, reached = true, f.ordinal+1
			}
		}
		if reached > 0 {
			m.passes[k][m.sec()] = reached
		}
	}
	m.keepTick()
	m.waits = m.waiting()
}

// pass lets somebody into a safety net, or not: nobody gets in before somebody
// who was told to wait.
func (m *model) pass(f *fan, steady bool) bool {
	bucket, filled := m.bucket, m.filled
	room, _, _ := m.room()
	for other, at := range m.standing {
		if at <= m.ms()-10_000 {
			delete(m.standing, other) // the ticks have counted those who wait since
		}
	}
	if !steady || m.waits < 0 || m.mode == ropeline.ModeDrain || room <= m.waits+int64(len(m.standing)) {
		m.bucket, m.filled = bucket, filled
		m.standing[f] = m.ms()
		return false
	}
	m.bucket -= 60_000
	m.fans = append(m.fans, f)
	f.state, f.ordinal, f.passed = ropeline.PlaceActive, -1, true
	f.ends = m.sec() + m.session
	f.exp = min(m.sec()+int64(m.sale.TokenLife), f.ends-margin)
	f.fill((f.exp + margin) * 1000)
	m.keepTick()
	return true
}

// mayReturn reports whether the cursor went by a fan not too long ago, as far as
// is known: a second that a clock tells twice is the later one.
func (m *model) mayReturn(f *fan) bool {
	past, at := int64(math.MaxInt64), int64(0)
	for second, cursor := range m.passes[f.shard] {
		if cursor > f.ordinal && cursor < past {
			past, at = cursor, second
		}
	}
	return past < math.MaxInt64 && m.ms()-at*1000 <= Grace.Milliseconds()
}

func (m *model) claim(f *fan, tag string) error {
	switch {
	case m.mode == ropeline.ModeStop:
		return ErrSaleStopped
	case !f.isMember(tag):
		return ErrParted
	case f.exp > 0 && (f.ended || f.slot <= m.ms()):
		return ErrSessionOver
	case f.exp > 0:
		return nil
	case f.state == ropeline.PlaceOffered && f.claimBy > m.ms():
		f.ends = m.sec() + m.session
		f.exp = min(m.sec()+int64(m.sale.TokenLife), f.ends-margin)
		f.state = ropeline.PlaceActive
		f.fill((f.exp + margin) * 1000)
		return nil
	case f.hadTurn() && f.state == ropeline.PlaceLeft:
		return ErrSessionOver
	case f.hadTurn():
		return ErrOfferExpired
	case m.ms()/1000*1000 < m.haunted: // a turn that was forgotten may be put back
		return ErrSettling
	}
	return ErrNoOffer
}

func (m *model) renew(f *fan, tag string) error {
	if m.mode == ropeline.ModeStop {
		return ErrSaleStopped
	}
	if !f.isMember(tag) {
		return ErrParted
	}
	if f.exp == 0 && !f.dropped && m.ms()/1000*1000 < m.haunted {
		return ErrSettling
	}
	if f.exp == 0 || f.ended || f.slot <= m.ms() {
		return ErrSessionOver
	}
	exp := max(f.exp, min(m.sec()+int64(m.sale.TokenLife), f.ends-margin))
	if exp <= m.sec() {
		return ErrSessionOver
	}
	f.exp = exp
	was := slices.Clone(f.more)
	f.fill(max(f.slot, (exp+margin)*1000))
	for i := range was {
		f.more[i] = max(f.more[i], was[i])
	}
	return nil
}

// keep is a hold of a session's that lives until then, or 0 for one that is over.
func (m *model) keep(f *fan, hold string, until int64, pays bool) error {
	now := m.turnTime()
	switch {
	case f.exp == 0 || f.sid == "":
		return nil // nobody knows of it
	case until > 0 && (f.ended || f.slot <= now):
		return ErrSessionOver
	case f.slot == 0:
		return nil
	}
	keeps := map[string]kept{}
	for name, k := range f.keeps {
		if name != hold && k.until > now {
			keeps[name] = k
		}
	}
	least := f.slot
	if until > 0 {
		keeps[hold] = kept{until, pays}
	} else {
		least = min(f.slot, now+int64(m.sale.TokenLife)*1000+margin*1000)
	}
	f.keeps = keeps
	f.fill(max(least, latest(keeps, now, false)))
	return nil
}

func (m *model) leave(f *fan) error {
	switch {
	case f.lost && !f.hadTurn():
		return ErrPlaceUnknown
	// Again, too, by a clock that went back over the close; who joined after it stays in the draw.
	case !m.drawn && m.now < m.sale.LobbyClosesAt.UnixMicro() && f.score < 0 && (f.state == ropeline.PlaceCollected || f.state == ropeline.PlaceLeft):
		m.fans = slices.DeleteFunc(m.fans, func(o *fan) bool { return o == f })
		return nil
	case f.state == ropeline.PlaceCollected, f.state == ropeline.PlaceWaiting, f.state == ropeline.PlaceOffered:
		f.gaveUp = f.state == ropeline.PlaceOffered
		f.dropped = f.gaveUp || f.allowed
		if m.waitsInLine(f) {
			m.left++
		}
		f.state, f.back, f.late, f.allowed = ropeline.PlaceLeft, false, false, false
	case f.exp > 0 && f.slot > 0: // one that was ended and has paid since is freed now
		m.end(f)
	case f.hadTurn() && f.state != ropeline.PlaceLeft:
		f.void()
	}
	return nil
}

func (m *model) end(f *fan) {
	if f.exp == 0 || f.slot == 0 {
		return
	}
	f.ended = true
	f.void()
	if until := latest(f.keeps, m.ms(), true); until > 0 { // it pays
		f.slot = until
		for i := range f.more {
			f.more[i] = until
		}
		return
	}
	f.slot, f.more, f.keeps = 0, nil, nil
}

// moveDeadlines is what a jump of the clock by so many ms that is seen does: what
// is left of every deadline stays. A token is good as long as its exp says.
func (m *model) moveDeadlines(by int64) {
	for _, f := range m.fans {
		least := int64(0)
		if by < 0 && f.exp > 0 {
			least = (f.exp + margin) * 1000
		}
		f.claimBy += by
		if f.slot > 0 {
			f.slot = max(f.slot+by, least)
		}
		for i := range f.more {
			f.more[i] = max(f.more[i]+by, least)
		}
	}
	if m.mode == ropeline.ModeStop {
		m.stoppedAt += by
	}
	if m.foundAt > 0 {
		m.foundAt = max(0, m.foundAt+by)
	}
	m.haunted, m.queueing.since = max(0, m.haunted+by), m.queueing.since+by
	if m.filled > 0 {
		m.filled += by
	}
}

// shown is the state that Find answers now.
func (m *model) shown(f *fan) ropeline.PlaceState {
	switch {
	case f.lost:
		return "" // unknown
	case f.state == ropeline.PlaceOffered && f.claimBy <= m.turnTime():
		return ropeline.PlaceExpired
	case f.state == ropeline.PlaceActive && (f.ended || f.slot <= m.turnTime()):
		return ropeline.PlaceDone
	case m.passedOver(f):
		return ropeline.PlacePassed
	}
	return f.state
}

// settle is what a loss of one line comes to: the order of those who are known
// again, with new ordinals, up to the last cursor score. It began then (ms).
func (m *model) settle(shard int, from int64) {
	m.heard[shard] = from
	var line []*fan
	for _, f := range m.fans {
		if f.shard != shard {
			continue
		}
		f.told = false
		if f.lost || f.state == ropeline.PlaceLeft && !f.gaveUp || f.ordinal < 0 && !f.late {
			f.ordinal = -1
			continue
		}
		f.late = false
		line = append(line, f)
	}
	slices.SortFunc(line, order)
	m.lines[shard] = line
	reached := int64(0)
	for i, f := range line {
		if f.ordinal, f.reached = int64(i), f.score <= m.scores[f.lane]; f.reached {
			reached++
		}
	}
	m.passes[shard] = map[int64]int64{m.sec(): reached}
	for i := range m.edges {
		m.edges[i].at[shard].reported = ""
	}
	m.epochAt[shard] = m.ms()
}

// system is both of them.
type system struct {
	model
	rdb            redis.UniversalClient
	stores         [2]*Store
	store          *Store    // the first edge's
	seed           draw.Hash // of the draw
	key            draw.Hash // of the draw, once there is one
	lobby          map[ropeline.PlaceID]bool
	seen           map[ropeline.PlaceID]int64 // the last position shown, which never rises
	looks          map[ropeline.PlaceID]look  // the last estimate, which rises for a reason only
	skew           int64                      // us: how far the server's clock is ahead of ours
	ticked         bool                       // since compare
	counted        string                     // epoch for which compare has counted who left
	count, friends int
	t              *rapid.T
}

// pick returns anybody, or somebody in one of these states if there is one:
// uniformly random fans would hardly ever be the few that are offered.
func (s *system) pick(t *rapid.T, states ...ropeline.PlaceState) *fan {
	return s.pickWhere(t, func(f *fan) bool { return slices.Contains(states, f.state) })
}

func (s *system) pickWhere(t *rapid.T, suits func(*fan) bool) *fan {
	from := slices.DeleteFunc(slices.Clone(s.fans), func(f *fan) bool { return !suits(f) })
	if len(from) == 0 || rapid.IntRange(0, 4).Draw(t, "anybody") == 0 {
		from = s.fans
	}
	if len(from) == 0 {
		t.Skip("nobody is there")
	}
	return rapid.SampledFrom(from).Draw(t, "fan")
}

func same(t *rapid.T, doing string, got, want error) {
	if !errors.Is(got, want) {
		t.Fatalf("%s: %v, want %v", doing, got, want)
	}
}

func (s *system) actions(ctx contextT) map[string]func(*rapid.T) {
	id := s.sale.ID
	actions := map[string]func(*rapid.T){
		"join": func(t *rapid.T) {
			edge := rapid.IntRange(0, 1).Draw(t, "edge")
			fans, joins := make([][]*fan, len(s.lines)), make([][]entry, len(s.lines))
			for range rapid.IntRange(1, 5).Draw(t, "people") {
				s.count++
				f := &fan{id: ropeline.PlaceID(fmt.Sprintf("fan-%04d", s.count)), edge: edge}
				f.lane = rapid.IntRange(0, len(s.scores)-1).Draw(t, "lane")
				f.id = f.id.In(s.sale.LaneNames()[f.lane])
				if rapid.Bool().Draw(t, "is a visitor") {
					f.visitor = "visitor of " + string(f.id)
				}
				if s.now < s.sale.LobbyClosesAt.UnixMicro() {
					s.lobby[f.id] = true
				}
				f.shard = s.shape.lineOf(f.id)
				fans[f.shard], joins[f.shard] = append(fans[f.shard], f), append(joins[f.shard], entry{f.id, f.visitor})
			}
			for k := range s.lines {
				s.joinLine(ctx, t, s.stores[edge], fans[k], joins[k])
			}
		},
		"pass": func(t *rapid.T) {
			if !s.sale.SafetyNet {
				t.Skip("it is no safety net")
			}
			for range rapid.IntRange(1, 4).Draw(t, "people") {
				s.passBy(ctx, t, rapid.IntRange(0, 1).Draw(t, "edge"), true)
				s.now += rapid.SampledFrom([]int64{1, 1, 1, 100_000, 2_500_000}).Draw(t, "us")
			}
		},
		"rejoin": func(t *rapid.T) {
			f := s.pick(t)
			shown := s.shown(f)
			if s.drawn && f.ordinal < 0 && f.hadTurn() {
				return // it came with a ticket, and was given a turn: the line has not heard of it
			}
			if shown == ropeline.PlaceLeft && !f.lost && !f.ruled { // the same attempt again, whose place was given up
				if p, err := s.store.Join(ctx, id, f.id, f.visitor); err != nil || p.New || p.State != ropeline.PlaceLeft {
					t.Fatalf("joining again as %s, who left: %+v, %v", f.id, p, err)
				}
				s.edges[0].at[f.shard].beat = s.ms()
				return
			}
			if f.lost || f.ruled || shown.Final() || s.drawn && f.ordinal < 0 {
				return // whoever brings a ticket is not asked to join, and a rule's place has a name that joining never makes
			}
			other := rapid.Bool().Draw(t, "with another place")
			as := f.id
			if other && f.visitor != "" {
				for n := 0; as == f.id || s.shape.lineOf(as) != f.shard; n++ { // one visitor's places are of one line
					as = ropeline.PlaceID(fmt.Sprintf("another-%d-%s", n, f.id)).In(f.id.Lane())
				}
			}
			if p, err := s.store.Join(ctx, id, as, f.visitor); err != nil || p.New || p.ID != f.id {
				t.Fatalf("joining again as %s: %+v, %v", as, p, err)
			}
			s.edges[0].at[f.shard].beat = s.ms()
		},
		"leave": func(t *rapid.T) {
			f := s.pick(t)
			tag := anyTag(t, f)
			given, _, err := s.store.LeaveAs(ctx, id, ticketOf(f, tag))
			state := f.state
			want, wantErr := s.leaveAs(f, tag)
			same(t, "leave of a place "+string(state), err, wantErr)
			if given != want {
				t.Fatalf("leave of %s of %+v: place given up %v, want %v", tag, f, given, want)
			}
		},
		"claim": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceOffered)
			tag := anyTag(t, f)
			got, err := s.store.ClaimAs(ctx, id, ticketOf(f, tag))
			same(t, "claim of a place "+string(f.state), err, s.claim(f, tag))
			if err == nil && (got.ExpiresAt.Unix() != f.exp || got.EndsAt.Unix() != f.ends) {
				t.Fatalf("claim: %+v, want exp %d and end %d", got, f.exp, f.ends)
			}
			if err == nil {
				f.sid = got.ID
			}
		},
		"renew": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceActive)
			tag := anyTag(t, f)
			got, err := s.store.RenewAs(ctx, id, ticketOf(f, tag))
			same(t, "renew", err, s.renew(f, tag))
			if err == nil && got.ExpiresAt.Unix() != f.exp {
				t.Fatalf("renew: %+v, want exp %d", got, f.exp)
			}
		},
		"end": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceActive)
			var want error
			if f.exp == 0 && !f.dropped && s.ms() < s.haunted { // a session that was forgotten may be put back
				want = ErrSettling
			}
			pays := f.exp > 0 && f.slot > 0 && latest(f.keeps, s.ms(), true) > 0
			acknowledged, err := s.store.End(ctx, id, f.id)
			if same(t, "end", err, want); err == nil && acknowledged == pays {
				t.Fatalf("an end is acknowledged %v although there is no gate; it pays %v", acknowledged, pays)
			}
			s.end(f)
		},
		"hold, pay or let go": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceActive)
			hold, pays := rapid.SampledFrom([]string{"hold-1", "hold-2"}).Draw(t, "hold"), rapid.Bool().Draw(t, "pays")
			sid := f.sid
			if sid == "" {
				sid = "nobody"
			}
			if rapid.IntRange(0, 2).Draw(t, "let go") == 0 {
				same(t, "letting go", s.store.LetGo(ctx, id, sid, hold), s.keep(f, hold, 0, false))
				return
			}
			until := s.ms() + rapid.Int64Range(1, 60_000).Draw(t, "for")
			same(t, "holding", s.store.Keep(ctx, id, sid, hold, time.UnixMilli(until), pays), s.keep(f, hold, until, pays))
		},
		"join a party": func(t *rapid.T) {
			s.befriend(ctx, t, s.pick(t, ropeline.PlaceCollected, ropeline.PlaceWaiting))
		},
		"go away": func(t *rapid.T) { s.move(ctx, t, s.pick(t, ropeline.PlaceWaiting), -1) },
		"come": func(t *rapid.T) {
			f := s.pickWhere(t, func(f *fan) bool { return f.edge < 0 || s.passedOver(f) })
			s.move(ctx, t, f, rapid.IntRange(0, 1).Draw(t, "edge"))
		},
		"an edge dies or lives again": func(t *rapid.T) { s.edges[1].dead = !s.edges[1].dead },
		"ask for a missed turn": func(t *rapid.T) {
			f := s.pick(t, ropeline.PlaceExpired)
			may := f.state == ropeline.PlaceExpired && f.missed > 0 && !f.again && !f.lost && s.ms()-f.missed <= Grace.Milliseconds() || f.allowed
			may = may && (!f.ruled || f.ordinal >= 0) // one that a loss found before everybody is in the line since
			ticket := s.ticket(f)
			if rapid.Bool().Draw(t, "its ticket is of the lobby") && f.ordinal >= 0 {
				ticket.Score = ""
			}
			got, err := s.store.Readmit(ctx, id, ticket, Grace)
			if err != nil || got != may {
				t.Fatalf("asking for a missed turn: %v, %v; want %v (%+v)", got, err, may, f)
			}
			if may {
				f.state, f.back, f.allowed = ropeline.PlaceWaiting, true, true
			}
		},
		"move to another device": func(t *rapid.T) { s.handOver(ctx, t, s.pick(t, ropeline.PlaceWaiting, ropeline.PlaceCollected)) },
		"an older copy acts": func(t *rapid.T) {
			f := s.pickWhere(t, func(f *fan) bool { return f.stored > 0 })
			var want error
			if f.stored > 0 {
				want = ErrPlaceMoved
			}
			same(t, "an older copy", s.store.Hold(ctx, id, Ticket{Place: f.id, Generation: max(0, f.stored-1)}), want)
		},
		"present a ticket": func(t *rapid.T) {
			s.present(ctx, t, s.pickWhere(t, func(f *fan) bool { return f.lost }))
		},
		"the server starts anew": func(t *rapid.T) { s.restart(ctx, t) },
		"the server loses all":   func(t *rapid.T) { s.lose(ctx, t) },
		"wait": func(t *rapid.T) {
			s.now += rapid.OneOf(rapid.Int64Range(1, 400_000), rapid.Int64Range(400_000, 8_000_000), rapid.Int64Range(8_000_000, 70_000_000)).Draw(t, "us")
		},
		"draw": func(t *rapid.T) {
			if s.drawn || s.now < s.sale.LobbyClosesAt.UnixMicro() {
				t.Skip("not now")
			}
			s.drawBoth(ctx, t)
		},
		"tick": func(t *rapid.T) { s.compareTick(ctx, t) },
		"tick twice": func(t *rapid.T) {
			s.now += TickInterval.Microseconds()
			s.compareTick(ctx, t)
			s.compareTick(ctx, t)
		},
		"the clock jumps": func(t *rapid.T) {
			s.jump(ctx, t, rapid.OneOf(rapid.Int64Range(-1_999, 1_999), rapid.Int64Range(2_001, 90_000), rapid.Int64Range(-90_000, -2_001)).Draw(t, "ms"))
		},
		"set limits":      func(t *rapid.T) { s.steerAnyhow(ctx, t) },
		"change the mode": func(t *rapid.T) { s.changeMode(ctx, t) },
		"come by a rule":  func(t *rapid.T) { s.comeByARule(ctx, t) },
		"stock":           func(t *rapid.T) { s.setStock(ctx, t) },
		"":                func(t *rapid.T) { s.compare(ctx, t) },
	}
	maps.Copy(actions, s.reentries(ctx))
	return actions
}

// jump sets the clock of the server, which the next tick sees.
func (s *system) jump(ctx contextT, t *rapid.T, by int64) {
	s.compareTick(ctx, t)
	s.now, s.skew = s.now+by*1000, s.skew+by*1000
	if seen := by > clockSlack.Milliseconds() || by < -clockSlack.Milliseconds(); seen {
		s.moveDeadlines(by)
		for id, l := range s.looks {
			s.looks[id] = look{l.Wait, l.at.Add(time.Duration(by) * time.Millisecond)}
		}
	}
	s.compareTick(ctx, t)
}

// handOver moves a place to another device, whose ticket is newer.
func (s *system) handOver(ctx contextT, t *rapid.T, f *fan) {
	if f.state == ropeline.PlaceLeft {
		return // the edge asks what became of the place
	}
	var want error
	if f.hadTurn() && !f.allowed {
		want = ErrTurnCame
	} else if f.size() > 1 {
		want = ErrPartyShared
	}
	s.count++
	code := Code(fmt.Sprintf("%0*d", codeLength, s.count))
	_, err := s.store.OfferCode(ctx, s.sale.ID, Ticket{Sale: s.sale.ID, Place: f.id, Generation: f.copies}, code)
	same(t, "making a code", err, want)
	if f.stored = f.copies; want != nil {
		return
	}
	got, err := s.store.Exchange(ctx, s.sale.ID, code, "", "")
	f.copies++
	f.stored = f.copies
	if err != nil || got.Place != f.id || got.Generation != f.copies {
		t.Fatalf("exchanged for %+v, %v; want generation %d of %s", got, err, f.copies, f.id)
	}
}

// passBy lets somebody come to a safety net: who does not pass joins the line,
// but while it is put together again (not steady), when nobody can.
func (s *system) passBy(ctx contextT, t *rapid.T, edge int, steady bool) {
	s.count++
	f := &fan{id: ropeline.PlaceID(fmt.Sprintf("fan-%04d", s.count)), edge: edge}
	f.shard = s.shape.lineOf(f.id)
	want := s.pass(f, steady)
	p, passed, err := s.stores[edge].Pass(ctx, s.sale.ID, f.id)
	if err != nil || passed != want {
		t.Fatalf("coming to the net: %+v, passes %v, %v; want %v (%d wait, %d stand, in use %d of %d)", p, passed, err, want, s.waits, len(s.standing), s.inUse(), s.limits.Cap)
	}
	if !passed {
		if steady {
			s.joinLine(ctx, t, s.stores[edge], []*fan{f}, []entry{{f.id, ""}})
		}
		return
	}
	f.score, _ = scoreOf(p.Score)
	f.beside, f.epoch = true, s.epoch(0)
	if p.Session != nil {
		f.sid = p.Session.ID
	}
	if p.State != ropeline.PlaceActive || !p.New || p.Session.ExpiresAt.Unix() != f.exp || p.Session.EndsAt.Unix() != f.ends {
		t.Fatalf("passed as %+v of %+v, want %+v", p, p.Session, f)
	}
	again, passed, err := s.stores[1-edge].Pass(ctx, s.sale.ID, f.id)
	if err != nil || !passed || again.State != ropeline.PlaceActive || again.New || again.Session.ID != p.Session.ID {
		t.Fatalf("passing again: %+v, %v, %v", again, passed, err)
	}
}

// joinLine lets people join one line, in one call.
func (s *system) joinLine(ctx contextT, t *rapid.T, store *Store, fans []*fan, joins []entry) {
	if len(joins) == 0 {
		return
	}
	for i, f := range fans { // a visitor is known in the main lane
		if f.lane == 0 || f.visitor == "" {
			continue
		}
		joins[i].visitor = ""
		if has, err := store.visit(ctx, s.shape.home(s.sale.ID, f.visitor), f.visitor, f.id); err != nil || has != f.id {
			t.Fatalf("%s of a visitor: %s, %v", f.id, has, err)
		}
	}
	for i, r := range store.joinAll(ctx, lineID{s.sale.ID, fans[0].shard}, joins) {
		if r.Err != nil || !r.Value.New {
			t.Fatalf("join: %+v, %v", r.Value, r.Err)
		}
		f := fans[i]
		s.join(f)
		if score, ok := scoreOf(r.Value.Score); ok {
			f.score = score
		}
		if r.Value.Ordinal != f.ordinal || r.Value.Epoch != f.epoch {
			t.Fatalf("join answered ordinal %d in %q, want %d in %q", r.Value.Ordinal, r.Value.Epoch, f.ordinal, f.epoch)
		}
		if rapid.IntRange(0, 2).Draw(t, "comes with friends") == 0 {
			s.befriend(ctx, t, f)
		}
	}
}

// move lets a fan be present at another edge, or nowhere (−1).
func (s *system) move(ctx contextT, t *rapid.T, f *fan, to int) {
	from := f.edge
	if from == to || to >= 0 && s.edges[to].dead || from >= 0 && s.edges[from].dead {
		return
	}
	tell := func(edge int, came, went []told, back []returning) {
		at, epoch := &s.edges[edge].at[f.shard], s.epochs[f.shard]
		if err := s.stores[edge].attend(ctx, lineID{s.sale.ID, f.shard}, epoch, at.reported == epoch, came, went, back); err != nil {
			t.Fatal(err)
		}
		s.beats(edge, f.shard)
	}
	if from >= 0 && f.told {
		tell(from, nil, []told{{f.id, f.ordinal}}, nil)
	}
	if from >= 0 && f.back && !f.allowed {
		s.follow(ctx, t, f, from, to)
	}
	f.edge, f.told = to, false
	if to < 0 || !s.drawn || f.ordinal < 0 {
		return
	}
	if s.passedOver(f) {
		tell(to, nil, nil, []returning{{f.id, Grace}})
		f.back = s.mayReturn(f)
	} else {
		tell(to, []told{{f.id, f.ordinal}}, nil, nil)
		f.told = true
	}
}

// follow takes somebody who goes before everybody from an edge, which takes the
// place off the comebacks, be it before or after the fan's next edge keeps it.
func (s *system) follow(ctx contextT, t *rapid.T, f *fan, from, to int) {
	places := []ropeline.PlaceID{f.id}
	early := rapid.Bool().Draw(t, "kept early")
	keep := func() error {
		if to < 0 || f.lost {
			return nil
		}
		return s.stores[to].keepBack(ctx, s.sale.ID, places)
	}
	var err error
	if early {
		err = keep()
	}
	if err = errors.Join(err, s.stores[from].away(ctx, s.sale.ID, places)); !early {
		err = errors.Join(err, keep())
	}
	if err != nil {
		t.Fatal(err)
	}
	f.back = to >= 0 || f.ordinal < 0 // one that was put back after a loss stands nowhere else
}

// beat lets the living edges say that they live and, in a new epoch, who of
// their fans is present; one may be slow.
func (s *system) beat(ctx contextT, t *rapid.T) {
	slow := rapid.IntRange(0, 5).Draw(t, "slow edge")
	for i := range s.edges {
		e := &s.edges[i]
		if e.dead || i == slow {
			continue
		}
		for k, epoch := range s.epochs {
			var came []told
			for _, f := range s.fans {
				if f.shard == k && e.at[k].reported != epoch && f.edge == i && f.ordinal >= 0 && !f.lost {
					came = append(came, told{f.id, f.ordinal})
					f.told = true
				}
			}
			if err := s.stores[i].attend(ctx, lineID{s.sale.ID, k}, epoch, true, came, nil, nil); err != nil {
				t.Fatal(err)
			}
			s.beats(i, k)
			if epoch != "" {
				e.at[k].reported = epoch
			}
		}
	}
}

func (s *system) drawBoth(ctx contextT, t *rapid.T) {
	if err := s.store.Draw(ctx, s.sale.ID); err != nil {
		t.Fatal(err)
	}
	var entrants []ropeline.PlaceID
	for _, f := range s.fans {
		if s.lobby[f.id] && !f.lost {
			entrants = append(entrants, f.id)
		}
	}
	slices.Sort(entrants)
	s.key = draw.Key(s.seed, draw.Root(entrants), draw.Hash{})
	s.draw(s.key, s.lobby)
	s.learn(ctx, t)
}

// learn reads the epoch, which is random, and the scores of the fans.
func (s *system) learn(ctx contextT, t *rapid.T) {
	state, err := s.store.State(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, stand := range state.stands() {
		s.epochs[i] = stand.Epoch
	}
	for _, f := range s.fans {
		if f.lost {
			continue
		}
		p, err := s.store.Find(ctx, s.sale.ID, f.id)
		if err != nil {
			t.Fatal(err)
		}
		if score, ok := scoreOf(p.Score); ok {
			f.score = score
		}
		f.epoch = s.epoch(f.lane)
	}
}

func (s *system) compareTick(ctx contextT, t *rapid.T) {
	s.beat(ctx, t)
	last := s.last
	state, err := s.store.Tick(ctx, s.sale.ID, "controller", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.tick()
	s.ticked = true
	if state.LastOffer != s.last || state.Cursor != s.cursor() {
		t.Fatalf("tick offered up to %d and came to %d, want %d and %d of %d", state.LastOffer, state.Cursor, s.last, s.cursor(), len(s.fans))
	}
	if s.stock != nil && s.last > last && s.stock.supports == 0 && s.mode != ropeline.ModePass {
		t.Fatalf("%d were offered though nothing can be sold", s.last-last)
	}
	if inUse := state.Offered + state.Active; inUse != s.inUse() {
		t.Fatalf("%d in use with a cap of %d, want %d", inUse, s.limits.Cap, s.inUse())
	}
	s.compareProof(t, state.State)
	s.compareMore(t, state)
}

// compareMore sees that a tick which says that there is no more work left nobody
// behind whom there is room for: they would wait for the next.
func (s *system) compareMore(t *rapid.T, ticked Ticked) {
	if ticked.More || s.anyParty {
		return
	}
	bucket, filled := s.bucket, s.filled
	room, _, _ := s.room()
	s.bucket, s.filled = bucket, filled
	if fronts := s.fronts(room); room > 0 && slices.ContainsFunc(fronts, func(front []*fan) bool { return len(front) > 0 }) {
		t.Fatalf("there is room for %d more of those who are here, and the tick says that it has no more work", room)
	}
}

// compare looks at every fan on both sides.
func (s *system) compare(ctx contextT, t *rapid.T) {
	view, err := s.store.Snapshot(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	if waiting := s.waiting(); s.drawn && view.Waiting() != waiting {
		for _, f := range s.fans {
			p, err := s.store.Find(ctx, s.sale.ID, f.id)
			t.Logf("%+v is %+v, %v", f, p, err)
		}
		t.Fatalf("%d are said to wait, want %d: %+v, cursor %d of %d", view.Waiting(), waiting, view.Stand, s.cursor(), len(s.fans))
	}
	if view.Epoch != s.counted { // it is counted anew where the server lost it
		s.counted, s.left = view.Epoch, view.Departures
	}
	if view.Departures != s.left {
		t.Fatalf("%d are said to have left the line, want %d", view.Departures, s.left)
	}
	for i, l := range view.Lanes {
		if l.People != s.people[i] || l.Share != s.shares[i] {
			t.Fatalf("the lanes are said to have had %+v, want %v people with shares %v", view.Lanes, s.people, s.shares)
		}
	}
	s.compareRules(t, view.State)
	if view.Brought != s.brought {
		t.Fatalf("%d are said to stand in line in parties, want %d", view.Brought, s.brought)
	}
	ids := make([]ropeline.PlaceID, len(s.fans))
	for i, f := range s.fans {
		ids[i] = f.id
	}
	places, err := s.store.FindAll(ctx, s.sale.ID, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range s.fans {
		p := places[i]
		if p.State != s.shown(f) || (s.waitsInLine(f) || s.passedOver(f)) && p.Ordinal != f.ordinal || p.Back != f.back || p.Beside != f.late {
			t.Fatalf("%s is %+v, want %s at %d (%+v)", f.id, p, s.shown(f), f.ordinal, f)
		}
		if p.Generation != f.stored {
			t.Fatalf("%s has generation %d, want %d", f.id, p.Generation, f.stored)
		}
		if p.Pass != f.reentry.kept() {
			t.Fatalf("%s has the pass %q, want %q", f.id, p.Pass, f.reentry.kept())
		}
		if p.Party != f.shared() {
			t.Fatalf("%s is shared by %q, want %q", f.id, p.Party, f.shared())
		}
		if number := offerNumber(p); number != f.number || number > 0 && p.Offer.Beside != f.beside {
			t.Fatalf("%s has offer %d (%+v), want %d, beside the line %v", f.id, number, p.Offer, f.number, f.beside)
		}
		if p.State != ropeline.PlaceWaiting {
			delete(s.looks, f.id)
			continue
		}
		position := view.Position(p)
		if position != s.position(f) {
			t.Fatalf("%s at ordinal %d is shown %d ahead, want %d", f.id, p.Ordinal, position, s.position(f))
		}
		if shown, ok := s.seen[f.id]; ok && position > shown && view.StandIn(f.id).Late == 0 {
			t.Fatalf("%s: the position rose from %d to %d", f.id, shown, position)
		}
		s.seen[f.id] = position
		if s.ticked {
			s.compareWait(t, f, view)
		}
	}
	s.ticked = false
}

// look is what a fan saw last of a wait.
type look struct {
	Wait
	at time.Time
}

// compareWait wants a reason where an estimate has risen by more than a tick and
// what goes unnoticed since the fan looked last. Edges hear of the line by its ticks, so a fan looks
// after each; who looked longer ago than a reason is told is as good as new.
func (s *system) compareWait(t *rapid.T, f *fan, view *View) {
	old, shown := s.looks[f.id]
	shown = shown && view.Now.Sub(old.at) < longerShown-gaugeInterval
	w, ok := view.Wait(f.lane, s.position(f))
	ok = ok && !view.Now.Before(s.sale.OpensAt) // until then it is mostly the time till the opening
	switch {
	case ok && shown && w.High > old.High+old.High/20+TickInterval && w.Longer == "":
		t.Fatalf("%s: the wait rose from %v to %v in %v: %+v", f.id, old.Wait, w, view.Now.Sub(old.at), view.State)
	case ok:
		s.looks[f.id] = look{w, view.Now}
	case shown && (view.still() || view.Now.Before(s.sale.OpensAt)): // what was told before is remembered
		s.looks[f.id] = look{old.Wait, view.Now}
	default:
		delete(s.looks, f.id)
	}
}

func offerNumber(p Place) int64 {
	if p.Offer == nil {
		return 0
	}
	return p.Offer.Number
}

// A sale that is spread over several lines does what one line does, and one with
// several lanes what each of them does, by their shares.
func TestTheLineDoesWhatTheModelDoes(t *testing.T) {
	checkAgainstModel(t, []layout{{1, 1}, {1, 3}, {3, 1}}, func(*system, map[string]func(*rapid.T)) {})
}

// In a safety net nobody passes somebody by who waits, and nobody waits while
// there is room.
func TestASafetyNetDoesWhatTheModelDoes(t *testing.T) {
	t.Parallel()
	rdb, runs := devtest.Redis(t), 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		shards := rapid.SampledFrom([]int{1, 3}).Draw(t, "shards")
		doAsTheModel(t, rdb, fmt.Sprintf("net-%d-%d", time.Now().UnixNano(), runs), 1, shards, true,
			func(s *system, actions map[string]func(*rapid.T)) {
				kept := []string{"", "pass", "tick", "renew", "end", "leave", "claim", "set limits", "wait", "the shop fails somebody", "come in again"}
				if rapid.IntRange(0, 2).Draw(t, "troubles") == 0 {
					kept = append(kept, "change the mode", "the server starts anew")
				}
				maps.DeleteFunc(actions, func(name string, _ func(*rapid.T)) bool { return !slices.Contains(kept, name) })
				actions["pass, more"], actions["tick, more"], actions["end, more"] = actions["pass"], actions["tick"], actions["end"]
				most, rate := rapid.Int64Range(1, 12).Draw(t, "cap"), rapid.SampledFrom([]int64{600, 60_000}).Draw(t, "rate")
				s.steer(t.Context(), t, Settings{Cap: &most, Rate: &rate}, nil)
				s.compareTick(t.Context(), t)
				s.now += 100_000
			})
	})
}

// layout is how many lanes a sale has, each of so many lines.
type layout struct{ lanes, shards int }

// checkAgainstModel does random operations to a line and to its model; choose
// may take some away or add to them.
func checkAgainstModel(t *testing.T, layouts []layout, choose func(*system, map[string]func(*rapid.T))) {
	t.Parallel()
	for _, is := range layouts {
		t.Run(fmt.Sprintf("%d lanes of %d lines", is.lanes, is.shards), func(t *testing.T) {
			t.Parallel()
			rdb, runs := devtest.Redis(t), 0
			rapid.Check(t, func(t *rapid.T) {
				runs++
				doAsTheModel(t, rdb, fmt.Sprintf("model-%d-%d-%d-%d", is.lanes, is.shards, time.Now().UnixNano(), runs), is.lanes, is.shards, is.lanes == 1 && rapid.IntRange(0, 7).Draw(t, "a safety net") == 0, choose)
			})
		})
	}
}

func doAsTheModel(t *rapid.T, rdb redis.UniversalClient, name string, lanes, shards int, net bool, choose func(*system, map[string]func(*rapid.T))) {
	ctx := t.Context()
	// Far from today, so that living gates of other tests are not waited for.
	start := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &system{rdb: rdb, lobby: map[ropeline.PlaceID]bool{}, seen: map[ropeline.PlaceID]int64{}, looks: map[ropeline.PlaceID]look{}, t: t}
	lines := lanes * shards
	s.lines, s.epochs, s.losses = make([][]*fan, lines), make([]string, lines), make([]int, lines)
	s.scores, s.leads, s.people = make([]int64, lanes), make([]int64, lanes), make([]int64, lanes)
	s.epochAt, s.heard = make([]int64, lines), make([]int64, lines)
	for range lines {
		s.passes = append(s.passes, map[int64]int64{})
	}
	s.sale = testSale(name, start)
	s.standing, s.waits, s.byRule = map[*fan]int64{}, -1, map[string]int64{}
	if net {
		s.sale.SafetyNet, s.sale.LobbyClosesAt, s.sale.OpensAt = true, time.Time{}, start
	}
	s.sale.Shards, s.sale.PartyMax = shards, 4
	for i, share := range modelLanes[lanes][1:] {
		s.sale.Lanes = append(s.sale.Lanes, ropeline.Lane{Name: fmt.Sprint("lane-", i+1), Title: "A lane", Share: int(share),
			Entry: []ropeline.LaneEntry{ropeline.EntryCode}})
	}
	s.shape = shapeOf(s.sale)
	s.now, s.steering = start.UnixMicro(), newSteering(s.sale)
	s.most = rapid.SampledFrom([]int64{offerMost, 7, 3}).Draw(t, "most offers of a call")
	// Of the check, so that what fails is drawn the same again.
	lots := rand.NewChaCha8([32]byte{byte(rapid.IntRange(0, 255).Draw(t, "seed of the draw"))})
	for i := range s.stores {
		s.stores[i] = New(rdb, testKeys).WithClock(func() time.Time { return time.UnixMicro(s.now) })
		s.stores[i].stopwatch = func() time.Time { return time.UnixMicro(s.now - s.skew) }
		s.stores[i].most, s.stores[i].random = s.most, lots
		s.stores[i].UseLimitBook(s.book)
		defer s.stores[i].Close()
	}
	s.store = s.stores[0]
	if err := s.store.PublishSale(ctx, s.sale); err != nil {
		t.Fatal(err)
	}
	s.stores[1].see(s.sale.ID, shapeOf(s.sale))
	s.mend(ctx, t)
	var err error
	if s.seed, err = s.store.drawSeed(ctx, s.sale.ID); err != nil {
		t.Fatal(err)
	}
	actions := s.actions(ctx)
	if s.sale.SafetyNet {
		s.sale.LobbyClosesAt = s.sale.OpensAt // as it was published
		s.drawn = true
		for i := range s.epochAt {
			s.epochAt[i] = s.ms()
		}
		s.learn(ctx, t)
	} else if rapid.IntRange(0, 3).Draw(t, "open at once") > 0 {
		s.openLine(ctx, t, actions)
	}
	choose(s, actions)
	t.Repeat(actions)
}

// openLine lets people come and draws them.
func (s *system) openLine(ctx contextT, t *rapid.T, actions map[string]func(*rapid.T)) {
	for range 3 {
		actions["join"](t)
	}
	s.now = s.sale.LobbyClosesAt.UnixMicro()
	actions["join"](t)
	if rapid.Bool().Draw(t, "somebody leaves during the draw") {
		actions["leave"](t)
	}
	s.drawBoth(ctx, t)
	s.now = s.sale.OpensAt.UnixMicro()
	s.compareTick(ctx, t)
}

// restart is a server that starts anew on what it had stored: that of the
// capacity, and of some of the lines.
func (s *system) restart(ctx contextT, t *rapid.T) {
	affected := []int{rapid.IntRange(0, len(s.lines)-1).Draw(t, "line")}
	if other := rapid.IntRange(0, len(s.lines)-1).Draw(t, "and line"); other != affected[0] {
		affected = append(affected, other)
	}
	charter, err := s.store.charter(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := s.store.State(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	known := stale
	stale.Cap, stale.LastOffer, stale.Version = stale.Cap+1, stale.LastOffer+5000, stale.Version+5000
	names := []string{key(s.sale.ID, "state")}
	for _, k := range affected {
		names = append(names, lineID{s.sale.ID, k}.key("line"))
	}
	s.lagged(ctx, t, affected)
	for _, name := range names { // what it kept is of another life of the server
		if err := s.rdb.HSet(ctx, name, "run_id", "another", "restored", "another", "limits_run", "another").Err(); err != nil {
			t.Fatal(err)
		}
	}
	recall := s.loseChange(ctx, t, known)
	s.foundAt = s.ms()
	_, err = s.store.Join(ctx, s.sale.ID, s.idIn(affected[0]), "")
	same(t, "joining a line whose server started anew", err, ErrSettling)
	// What the server still has is newer than what an edge remembers.
	if err := s.store.restore(ctx, s.sale.ID, charter, stale); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.fans {
		p, err := s.store.Find(ctx, s.sale.ID, f.id)
		known := !f.lost && (f.state == ropeline.PlaceLeft || f.number > 0 && f.state != ropeline.PlaceWaiting)
		if known && (err != nil || p.State != s.shown(f)) {
			t.Fatalf("while the line settles, %s, who is %s, is told %+v, %v", f.id, s.shown(f), p, err)
		}
	}
	s.haunt(math.Ceil(float64(s.limits.Rate)*1000/60000) + math.Ceil(float64(2*TickInterval.Milliseconds()*s.limits.Rate)/60000) + 1 + math.Max(0, float64(s.largest-1)))
	for _, f := range s.fans {
		longest := s.turnTime() + s.haunted - s.ms()
		if f.slot > 0 && f.slot > s.turnTime() {
			f.slot = max(f.slot, longest)
		}
		for i, until := range f.more {
			if until > s.turnTime() {
				f.more[i] = max(until, longest)
			}
		}
	}
	s.last += s.ghosts
	s.settleBoth(ctx, t, affected, func() {
		if err := s.store.restore(ctx, s.sale.ID, charter, stale); err != nil {
			t.Fatal(err)
		}
		recall()
		s.remember(ctx, t, stale, affected)
	})
}

// lagged lets the last who joined a line be forgotten by the server that has it
// now, if an edge remembers the place.
func (s *system) lagged(ctx contextT, t *rapid.T, affected []int) {
	for _, k := range affected {
		if len(s.lines[k]) == 0 || !rapid.Bool().Draw(t, "its last join is lost") {
			continue
		}
		if f := s.lines[k][len(s.lines[k])-1]; s.waitsInLine(f) && f.edge >= 0 && !s.edges[f.edge].dead {
			if err := s.rdb.ZRem(ctx, lineID{s.sale.ID, k}.key("order"), string(f.id)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// remember lets the living edges tell lines that settle of their fans, and of
// some who have left.
func (s *system) remember(ctx contextT, t *rapid.T, known State, affected []int) {
	for i := range s.edges {
		var places []Place
		var left []ropeline.PlaceID
		for _, f := range s.fans {
			switch {
			case !slices.Contains(affected, f.shard) || s.edges[i].dead || f.lost:
			case f.state == ropeline.PlaceLeft && rapid.Bool().Draw(t, "is remembered as left"):
				left = append(left, f.id)
				f.gaveUp = false // its ordinal is free now
			case f.edge == i && f.score >= 0 && (f.ordinal >= 0 || f.late) && f.state != ropeline.PlaceLeft && (f.number == 0 || f.score <= s.scores[f.lane]):
				places = append(places, Place{ID: f.id, Score: strconv.FormatInt(f.score, 10)})
			}
		}
		s.registers(ctx, t, i, known, left, places)
	}
}

// registers lets an edge tell lines that settle what it knows.
func (s *system) registers(ctx contextT, t *rapid.T, edge int, known State, left []ropeline.PlaceID, places []Place) {
	if err := s.stores[edge].register(ctx, s.sale.ID, known, left, places); err != nil {
		t.Fatal(err)
	}
	for _, id := range left {
		s.edges[edge].at[s.shape.lineOf(id)].beat = s.ms()
	}
	for _, p := range places {
		s.edges[edge].at[s.shape.lineOf(p.ID)].beat = s.ms()
	}
}

// idIn is a place id of this line.
func (s *system) idIn(line int) ropeline.PlaceID {
	for n := 0; ; n++ {
		id := ropeline.PlaceID(fmt.Sprint("meanwhile-", n)).In(s.sale.LaneNames()[line/s.shape.shards])
		if s.shape.lineOf(id) == line {
			return id
		}
	}
}

// haunt counts what a loss may have forgotten as in use.
func (s *system) haunt(n float64) {
	s.ghosts, s.haunted = int64(n), s.ms()+int64(s.sale.TokenLife)*1000+margin*1000
}

// lose is a server that has lost everything. Edges remember the fans that are
// present; the others come back with their tickets, or not.
func (s *system) lose(ctx contextT, t *rapid.T) {
	s.expire()
	known, err := s.store.State(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	charter, err := s.store.charter(ctx, s.sale.ID)
	if err != nil {
		t.Fatal(err)
	}
	var places [len(s.edges)][]Place // that each edge remembers
	var turns []Place
	var moved []copied
	for _, f := range s.fans {
		f.stored = 0
		p, err := s.store.Find(ctx, s.sale.ID, f.id)
		if err != nil && !errors.Is(err, ErrPlaceUnknown) {
			t.Fatal(err)
		}
		remembered := err == nil && f.edge >= 0 && p.State != ropeline.PlaceLeft
		if remembered {
			p.Visitor = f.visitor
			if f.score >= 0 {
				p.Score = strconv.FormatInt(f.score, 10)
			}
			if p.ordered(s.scores[f.lane]) {
				places[f.edge] = append(places[f.edge], p)
			}
		}
		if remembered && f.copies > 0 {
			moved, f.stored = append(moved, copied{f.id, f.copies}), f.copies
		}
		if remembered && p.Offer != nil {
			turns = append(turns, p)
		}
		if s.forget(f, remembered); !s.drawn || !p.ordered(s.scores[f.lane]) || p.Score == "" {
			f.ordinal = -1
		}
	}
	names, err := s.rdb.Keys(ctx, "ropeline:{"+string(s.sale.ID)+"[.}]*").Result()
	if err != nil || s.rdb.Del(ctx, names...).Err() != nil {
		t.Fatal("losing everything:", err)
	}
	s.stock = nil
	_, err = s.store.Join(ctx, s.sale.ID, "meanwhile", "")
	same(t, "joining a line that was lost", err, ErrSettling)
	var all []int
	for k := range s.lines {
		all = append(all, k)
		for i := range s.edges {
			s.edges[i].at[k].beat = 0
		}
	}
	lost := 2*math.Ceil(float64(TickInterval.Milliseconds()*s.limits.Rate)/60000) + 1
	s.haunt(float64(known.Offered+known.Active+credit(s.sale)) + lost)
	s.queueing, s.anyParty, s.largest, s.brought = queueing{}, false, 0, 0
	s.waits, s.standing = -1, map[*fan]int64{}
	s.last = known.LastOffer + 1000
	clear(s.leads)
	s.bucket, s.filled, s.lostSlots, s.foundAt, s.stored = 0, 0, true, 0, nil
	if err := errors.Join(s.store.restore(ctx, s.sale.ID, charter, known), s.stores[1].restore(ctx, s.sale.ID, charter, known)); err != nil {
		t.Fatal(err)
	}
	s.mend(ctx, t)
	s.settleBoth(ctx, t, all, func() {
		s.recall(ctx, t, slices.Concat(places[:]...))
		for i := range places {
			s.registers(ctx, t, i, known, nil, places[i])
		}
		_, raised := s.store.raise(ctx, s.sale.ID, moved)
		if err := errors.Join(raised, s.store.Reinstate(ctx, s.sale.ID, turns)); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.fans {
			s.ghosts -= f.slots()
			if s.anyParty = s.anyParty || f.open; f.size() > 1 {
				s.largest = max(s.largest, f.size())
			}
			s.brought += int64(f.size() - 1)
		}
	})
}

// forget is what a loss of everything does to one fan.
func (s *system) forget(f *fan, remembered bool) {
	f.back, f.late, f.again, f.allowed = false, false, false, false
	f.missed = 0 // nobody remembers when
	f.lost, f.ordinal = !remembered, 0
	f.reentry.forget(remembered && f.hadTurn())
	f.open = remembered && len(f.members) > 0
	if f.more = nil; !remembered {
		f.ticket, f.members = f.members, nil
	}
	token := f.exp*1000 + margin*1000
	living := f.state == ropeline.PlaceOffered && f.claimBy > s.turnTime() || f.state == ropeline.PlaceActive && !f.ended && f.slot > 0 && max(f.slot, token) > s.turnTime()
	if f.keeps = nil; f.slot > token {
		f.keeps = map[string]kept{"before": {until: f.slot}}
	}
	switch {
	case !remembered:
		f.visitor, f.dropped = "", false
		f.number, f.passed, f.exp, f.ended, f.slot = 0, false, 0, false, 0
		if f.state != ropeline.PlaceLeft && f.state != ropeline.PlaceCollected {
			f.state = ropeline.PlaceWaiting // as far as its ticket goes
		}
	case f.hadTurn() && !living:
		f.state, f.exp, f.ended, f.slot = ropeline.PlaceExpired, 0, false, 0
	case f.state == ropeline.PlaceActive:
		f.fill(max(f.slot, token))
	}
}

// settleBoth puts the line together again on both sides.
func (s *system) settleBoth(ctx contextT, t *rapid.T, affected []int, register func()) {
	step := func() Ticked {
		ticked, err := s.store.Tick(ctx, s.sale.ID, "controller", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		s.expire()
		_, _, _ = s.room()
		if s.keepTick(); s.lostSlots { // they are not put back yet
			s.beginStretch(0)
			s.lostSlots = false
		}
		return ticked
	}
	if s.sale.SafetyNet {
		s.passBy(ctx, t, 0, false)
	}
	if ticked := step(); !ticked.Settling {
		t.Fatalf("the line does not settle: %+v", ticked.Stand)
	}
	from := s.ms()
	register()
	s.now += (settleLeast + time.Millisecond).Microseconds()
	last := step()
	view, err := s.store.Snapshot(ctx, s.sale.ID)
	if err != nil || view.Settling || s.drawn && view.Epoch == epochOf(s.epochs) || view.Cap != s.limits.Cap {
		t.Fatalf("the line has not settled: %+v, %v", view, err)
	}
	for _, k := range affected {
		if s.losses[k]++; s.drawn { // the lobby has no order
			s.settle(k, from)
		}
	}
	if s.waits = -1; !last.Settling { // with no room the line is looked at before it settles
		s.waits = s.waiting()
	}
	for k, stand := range view.stands() {
		s.epochs[k] = stand.Epoch
	}
	clear(s.seen)
}

// present is a fan who comes with a ticket of before a loss.
func (s *system) present(ctx contextT, t *rapid.T, f *fan) {
	ticket := Ticket{Place: f.id, Epoch: f.epoch}
	if f.score < 0 && s.drawn && s.lobby[f.id] { // what an edge computes
		f.score = draw.Score(s.key, f.id)
	}
	if f.score >= 0 {
		ticket.Score = strconv.FormatInt(f.score, 10)
	}
	p, err := s.store.Present(ctx, s.sale.ID, ticket)
	bound := !s.drawn && (s.now >= s.sale.LobbyClosesAt.UnixMicro() || f.score >= 0)
	switch {
	case f.lost && f.ruled && s.drawn: // it never stood where a ticket could bring it back to
		same(t, "presenting the ticket of a lost place that came by a rule", err, ErrPlaceUnknown)
		return
	case f.lost && bound: // its time comes when the line is drawn
		same(t, "presenting a ticket to a closed lobby", err, ErrPlaceUnknown)
		return
	case !f.lost:
		if (f.state != ropeline.PlaceWaiting || s.losses[f.shard] == 0) && errors.Is(err, ErrPlaceUnknown) {
			return
		}
		if err != nil || p.New {
			t.Fatalf("presenting the ticket of a known place: %+v, %v", p, err)
		}
		return
	case err != nil:
		t.Fatalf("presenting the ticket of a lost place: %v (%+v)", err, f)
	}
	f.lost, f.ordinal = false, -1
	if len(f.ticket) > 0 {
		remembers := ticketOf(f, f.ticket[0])
		remembers.Party = Party(strings.Join(f.ticket, " "))
		if err := s.store.RecallParty(ctx, s.sale.ID, remembers); err != nil {
			t.Fatal(err)
		}
		f.members, f.ticket, f.open, s.anyParty = f.ticket, nil, true, true
		s.largest, s.brought = max(s.largest, len(f.members)), s.brought+int64(len(f.members)-1)
	}
	if f.state = ropeline.PlaceCollected; !s.drawn {
		return
	}
	f.state = ropeline.PlaceWaiting
	if f.late = f.score > s.scores[f.lane]; !f.late {
		f.back = true
	}
}
