package admission

import (
	"context"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// messageDoc is the organizer's message as the staff see and set it.
type messageDoc struct {
	Number  int64             `json:"number"` // 0: there is none
	Texts   map[string]string `json:"texts"`  // by language, BCP 47
	Default string            `json:"default,omitempty"`
	Until   *time.Time        `json:"until,omitempty"`
}

func (o *Ops) showMessage(w http.ResponseWriter, r *http.Request) error {
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	b, err := o.store.Board(r.Context(), sale)
	if err != nil {
		return err
	}
	doc := messageDoc{Texts: map[string]string{}}
	if m := b.Message; m != nil {
		doc.Number, doc.Texts, doc.Default = m.Number, m.Texts, m.Default
		if !m.Until.IsZero() {
			doc.Until = &m.Until
		}
	}
	return ropeline.WriteJSON(w, http.StatusOK, doc)
}

type messageBody struct {
	Texts   map[string]string `json:"texts"`
	Default string            `json:"default"`
	Until   time.Time         `json:"until"`
	Expect  *int64            `json:"expect"` // the number of the message that was seen, 0 for none
	Reason  string            `json:"reason"`
}

// setMessage shows a message to everybody who waits, in place of the one there
// was; without texts it only takes that away.
func (o *Ops) setMessage(w http.ResponseWriter, r *http.Request) error {
	var body messageBody
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	m := queue.Message{Texts: body.Texts, Default: body.Default, Until: body.Until}
	if len(m.Texts) == 0 {
		m = queue.Message{}
	} else if err := m.Check(time.Now()); err != nil {
		return err
	}
	event := map[string]any{"lang": m.Default, "text": m.Texts[m.Default], "languages": len(m.Texts), "reason": body.Reason, "by": RoleSRE}
	err := o.audited(r, act{sale: sale, action: "set message", reason: body.Reason, wanted: body,
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			number, err := o.store.SetMessage(ctx, sale, m, body.Expect, event)
			return map[string]int64{"number": number}, time.Time{}, err
		}})
	if err != nil {
		return err
	}
	return o.showMessage(w, r)
}
