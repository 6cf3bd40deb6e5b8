package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
	"github.com/ropeline/ropeline/queue"
)

var errBypassInvalid = &ropeline.Error{Kind: ropeline.Forbidden, Code: "bypass-invalid",
	Detail: "This key lets nobody past the line of this sale."}

// ruleOf is the sale's rule that a key is of.
func ruleOf(sale ropeline.Sale, key string) (ropeline.Bypass, bool) {
	sum := sha256.Sum256([]byte(key))
	for _, rule := range sale.Bypass {
		if slices.Contains(rule.Keys, hex.EncodeToString(sum[:])) {
			return rule, true
		}
	}
	return ropeline.Bypass{}, false
}

// bypass lets somebody in past the line, by a rule whose key they have. Never an
// address alone does. One who repeats the attempt gets the same place.
func (s *Server) bypass(r *http.Request, m *room, brought wire.Join) (queue.Ticket, queue.Place, error) {
	sale := m.settings(r.Context(), s.store, s.now())
	rule, ok := ruleOf(sale, brought.Bypass)
	switch {
	case !ok:
		return queue.Ticket{}, queue.Place{}, errBypassInvalid
	case !randomName.MatchString(brought.Attempt):
		return queue.Ticket{}, queue.Place{}, ropeline.ErrBodyMalformed
	}
	who := s.store.VisitorOf(sale.ID, "bypass", rule.Name+"\n"+brought.Bypass)
	id := s.store.PlaceOf(sale.ID, who, brought.Attempt, 1)
	did, err := s.store.Bypass(r.Context(), m.id, id, rule)
	if err != nil {
		s.log.Info("not let past the line", "sale", m.id, "rule", rule.Name, "err", err)
		return queue.Ticket{}, queue.Place{}, err
	}
	if did.New {
		s.metrics.bypasses.WithLabelValues(string(m.id), rule.Name).Inc()
		s.log.Info("let past the line", "sale", m.id, "rule", rule.Name, "place", id, "by_rule", did.ByRule, "by_all_rules", did.All, "people", did.Total)
	}
	place, err := s.store.Find(r.Context(), m.id, id)
	place.New = did.New
	return queue.Ticket{Sale: m.id, Lane: id.Lane(), Place: id, Terms: m.terms()}, place, err
}

// bypassOf is what the public is told of a sale's rules.
func bypassOf(sale ropeline.Sale, v *queue.View) []wire.Bypass {
	var rules []wire.Bypass
	for _, b := range sale.Bypass {
		rules = append(rules, wire.Bypass{Name: b.Name, Title: b.Title, Share: b.Share, People: v.BypassedBy(b.Name)})
	}
	return rules
}
