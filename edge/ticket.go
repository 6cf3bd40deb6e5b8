package edge

import (
	_ "embed"
	"net/http"
)

//go:embed ticket.js
var ticketScript []byte

var ticketFile = func() file {
	f, err := newFile("ticket.js", ticketScript)
	if err != nil {
		panic(err) // of ours
	}
	return f
}()

// ticketWorker serves the service worker of ticket pages from below them, which is as far
// as it reaches. Browsers ask for it anew with each visit.
func (s *Server) ticketWorker(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Security-Policy", policy)
	serveFile(w, r, ticketFile)
	return nil
}
