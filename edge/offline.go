package edge

import (
	_ "embed"
	"net/http"
	"strings"
)

//go:embed offline.js
var offlineScript string

// The service workers of pages that open without a network: of tickets, from below them,
// which is as far as it reaches, and of the door, which asks for no more than its own page.
var (
	ticketFile = workerFile("tickets", "/tickets/")
	doorFile   = workerFile("door", "/door")
)

// workerFile is the worker of pages whose addresses begin with at; all are one page.
func workerFile(name, at string) file {
	f, err := newFile("worker.js", []byte(strings.NewReplacer("{name}", name, "{page}", at).Replace(offlineScript)))
	if err != nil {
		panic(err) // of ours
	}
	return f
}

// worker serves a service worker. Browsers ask for it anew with each visit.
func (s *Server) worker(f file) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Security-Policy", policy)
		serveFile(w, r, f)
		return nil
	}
}
