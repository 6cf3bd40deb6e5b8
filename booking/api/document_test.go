package api

import (
	"net/http"
	"sync"
	"testing"

	"github.com/ropeline/ropeline/internal/contract"
)

// The document itself is one of OpenAPI 3.1.
func TestTheDocumentIsValid(t *testing.T) {
	t.Parallel()
	c, err := described()
	if err == nil {
		err = c.Valid()
	}
	if err != nil {
		t.Error(err)
	}
}

// described is the document of this core.
var described = sync.OnceValues(func() (*contract.Contract, error) {
	text, err := OpenAPI()
	if err != nil {
		return nil, err
	}
	return contract.Read(text)
})

// asDescribed fails a test whose core has answered anything that its document does
// not tell of. Every answer of every test of this package comes by here.
func asDescribed(t testing.TB, res *http.Response, body []byte) {
	t.Helper()
	if res.Request == nil { // written by hand
		return
	}
	c, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Keeps(res, body); err != nil {
		t.Error(err)
	}
}
