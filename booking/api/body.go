package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// bodies are huma's JSON, except that a number that does not fit is named by its place.
var bodies = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}

// misfit begins an error about a number, and the number's place ends it: of an error huma
// passes on no more than its text.
const misfit = "number does not fit: "

// unmarshal is json.Unmarshal. That names the field of a struct only, and huma reads a body
// into maps first.
func unmarshal(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok || !strings.HasPrefix(e.Value, "number ") {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if place, found := placeOf(d, []byte("body"), e.Offset); found {
		return errors.New(misfit + string(place))
	}
	return err
}

// placeOf says, as huma would, where the number is that ends at an offset, or a byte before:
// encoding/json means the one or the other. All calls share what path is written in: a body
// may be thousands of lists deep.
func placeOf(d *json.Decoder, path []byte, end int64) ([]byte, bool) {
	opening, err := d.Token()
	if err != nil {
		return nil, false
	}
	for i := 0; opening == json.Delim('{') || opening == json.Delim('['); i++ {
		if !d.More() {
			_, _ = d.Token() // the end; json.Unmarshal has read the text, so there is one
			return nil, false
		}
		below := strconv.AppendInt(append(path, '['), int64(i), 10)
		below = append(below, ']')
		if opening == json.Delim('{') {
			name, _ := d.Token()
			text, _ := name.(string)
			below = append(append(path, '.'), text...)
		}
		if place, found := placeOf(d, below, end); found {
			return place, true
		}
	}
	return path, d.InputOffset()+1 >= end
}
