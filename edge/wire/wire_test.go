package wire_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/wire"
)

// The golden documents are read here and by the tests of the pages: what an
// edge says must come out of them unchanged, field for field.
func TestGoldenDocumentsComeOutUnchanged(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d golden documents, %v", len(files), err)
	}
	for _, file := range files {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc any = &wire.Status{}
		switch strings.TrimSuffix(filepath.Base(file), ".json") {
		case "admission":
			doc = &wire.Admission{}
		case "draw-proof":
			doc = &wire.DrawProof{}
		case "handover":
			doc = &wire.Handover{}
		case "invite":
			doc = &wire.Invite{}
		case "ledger":
			doc = &wire.Ledger{}
		case "seats", "seats-change", "seats-beat":
			doc = &wire.Seats{}
		case "stock":
			doc = &ropeline.Stock{}
		case "terms":
			doc = &wire.Terms{}
		case "sale", "sale-laned", "sale-net":
			doc = &wire.Sale{}
		}
		d := json.NewDecoder(bytes.NewReader(golden))
		d.DisallowUnknownFields()
		if err := d.Decode(doc); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		again, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(again), strings.TrimSpace(string(golden)); got != want {
			t.Errorf("%s comes out as\n%s\nwant\n%s", file, got, want)
		}
	}
}
