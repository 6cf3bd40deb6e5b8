// Package contract compares answers with an OpenAPI document, as a library reads it that
// knows nothing of how we write it. It is for tests.
//
// It is a package of its own since whatever is compiled together with that library takes
// half a minute longer to compile.
package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	invalid "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/helpers"
)

// Contract is a document. It is safe for concurrent use.
type Contract struct{ v validator.Validator }

// Read reads a document, as JSON.
func Read(text []byte) (*Contract, error) {
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(document)
	return &Contract{v}, errors.Join(errs...)
}

// Valid fails if the document is not one of OpenAPI 3.1.
func (c *Contract) Valid() error {
	if ok, faults := c.v.ValidateDocument(); !ok {
		return errors.New(inWords(faults))
	}
	return nil
}

// Keeps fails if an answer with this body is not as the document says: status, media type, a
// member too many, too few or of another type. What is not in the document may be answered
// with 404 or 405.
func (c *Contract) Keeps(res *http.Response, body []byte) error {
	copied := *res
	copied.Body = io.NopCloser(bytes.NewReader(body))
	ok, faults := c.v.ValidateHttpResponse(res.Request, &copied)
	unknown := slices.ContainsFunc(faults, func(f *invalid.ValidationError) bool { return f.ValidationType == helpers.PathValidation })
	if ok || unknown && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed) {
		return nil
	}
	return fmt.Errorf("%s %s: %d is not as described: %s", res.Request.Method, res.Request.URL.Path, res.StatusCode, inWords(faults))
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
