package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	invalid "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/helpers"
)

// The document itself is one of OpenAPI 3.1.
func TestTheDocumentIsValid(t *testing.T) {
	t.Parallel()
	v, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if ok, faults := v.ValidateDocument(); !ok {
		t.Error(inWords(faults))
	}
}

// described is the document of this core as a library reads it that knows nothing
// of how we write it.
var described = sync.OnceValues(func() (validator.Validator, error) {
	text, err := OpenAPI()
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(document)
	return v, errors.Join(errs...)
})

// asDescribed fails a test whose core has answered anything that its document does
// not tell of: status, media type, a member too many, too few or of another type.
// Every answer of every test of this package comes by here.
func asDescribed(t testing.TB, res *http.Response, body []byte) {
	t.Helper()
	if res.Request == nil { // written by hand
		return
	}
	v, err := described()
	if err != nil {
		t.Fatal(err)
	}
	copied := *res
	copied.Body = io.NopCloser(bytes.NewReader(body))
	ok, faults := v.ValidateHttpResponse(res.Request, &copied)
	unknown := slices.ContainsFunc(faults, func(f *invalid.ValidationError) bool { return f.ValidationType == helpers.PathValidation })
	if unknown && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed) {
		return
	}
	if !ok {
		t.Errorf("%s %s: %d is not as described: %s", res.Request.Method, res.Request.URL.Path, res.StatusCode, inWords(faults))
	}
}

func inWords(faults []*invalid.ValidationError) string {
	var text bytes.Buffer
	for _, f := range faults {
		text.WriteString("\n" + f.Message + ": " + f.Reason)
		for _, s := range f.SchemaValidationErrors {
			text.WriteString("\n  " + s.KeywordLocation + ": " + s.Reason)
		}
	}
	return text.String()
}
