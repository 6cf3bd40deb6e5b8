package admission

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/queue"
)

// maxCodes bounds how many codes one request makes; the command line makes more.
const maxCodes = 10_000

var errCodesCount = &ropeline.Error{Kind: ropeline.Invalid, Code: "codes-invalid",
	Detail: fmt.Sprintf("Say in count how many codes to make, 1 to %d; ropeline codes generate makes more.", maxCodes)}

// codesBody is what staff asks for.
type codesBody struct {
	Batch  string    `json:"batch"`
	Lane   string    `json:"lane"`
	Count  int       `json:"count"`
	Uses   int64     `json:"uses"`
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason"`
}

// makeCodes makes presale codes that lead to a lane. They are in the answer and
// nowhere else.
func (o *Ops) makeCodes(w http.ResponseWriter, r *http.Request) error {
	var body codesBody
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if body.Count < 1 || body.Count > maxCodes {
		return errCodesCount
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	batch := queue.CodeBatch{ID: body.Batch, Lane: body.Lane, Uses: max(1, body.Uses), From: body.From, Until: body.Until}
	if batch.ID == "" {
		batch.ID = time.Now().UTC().Format("20060102-150405.000")
	}
	codes := queue.NewLaneCodes(body.Count)
	err := o.audited(r, act{sale: sale, action: "make codes", reason: body.Reason, wanted: body,
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			added, err := o.store.AddCodes(ctx, sale, batch, codes)
			return map[string]any{"batch": batch.ID, "added": added}, time.Time{}, err
		}})
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusCreated, map[string]any{"batch": batch.ID, "codes": codes})
}

func (o *Ops) listCodes(w http.ResponseWriter, r *http.Request) error {
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	batches, err := o.store.CodeBatches(r.Context(), sale)
	if err != nil {
		return err
	}
	return ropeline.WriteJSON(w, http.StatusOK, map[string]any{"batches": batches})
}

var errCodesWhich = &ropeline.Error{Kind: ropeline.Invalid, Code: "codes-invalid", Detail: "Give either a batch or a code."}

// revokeCodes takes back a batch of codes, or one.
func (o *Ops) revokeCodes(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Batch  string `json:"batch"`
		Code   string `json:"code"`
		Reason string `json:"reason"`
	}
	if err := ropeline.ReadJSON(w, r, &body); err != nil {
		return err
	}
	if (body.Batch == "") == (body.Code == "") {
		return errCodesWhich
	}
	sale := ropeline.SaleID(r.PathValue("sale"))
	if err := o.known(r, sale); err != nil {
		return err
	}
	// The audit has no code in it: it might still lead somewhere else.
	wanted := map[string]any{"batch": body.Batch, "one_code": body.Code != ""}
	err := o.audited(r, act{sale: sale, action: "revoke codes", reason: body.Reason, wanted: wanted,
		do: func(ctx context.Context, _ string) (any, time.Time, error) {
			return wanted, time.Time{}, o.store.RevokeCodes(ctx, sale, body.Batch, body.Code)
		}})
	if err != nil {
		return err
	}
	return o.listCodes(w, r)
}
