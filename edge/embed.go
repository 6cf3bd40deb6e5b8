package edge

import (
	_ "embed"
	"net/http"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/look"
)

// The button that organizers put into their own sites: a link, and a script of ours that
// dresses it. Framing stays refused: a room in a frame of another site's would have
// neither its cookies nor an address that people can check.

//go:embed embed.js
var embedScript []byte

var embedFile = func() file {
	f, err := newFile("embed.js", embedScript)
	if err != nil {
		panic(err) // of ours
	}
	return f
}()

// embed serves the script, at an address that never changes.
func (s *Server) embed(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	serveFile(w, r, embedFile)
	return nil
}

// embedded is what the script asks for.
type embedded struct {
	Title   string         `json:"title"`
	Phase   ropeline.Phase `json:"phase"`
	OpensAt time.Time      `json:"opens_at"`
	Light   look.Button    `json:"light"`
	Dark    look.Button    `json:"dark"`
}

// showButton answers every site: there is nothing in it but what the room's page says to
// everybody, and no cookie is looked at.
func (s *Server) showButton(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	room, err := s.room(r)
	if err != nil {
		return err
	}
	doc, err := s.describe(r, room)
	if err != nil {
		return err
	}
	buttons := look.Buttons()
	if d := s.looks.of(r.Context(), room.id); d != nil {
		buttons = d.buttons
	}
	w.Header().Set("Cache-Control", "public, max-age=10")
	return ropeline.WriteJSON(w, http.StatusOK, embedded{
		Title: doc.Title, Phase: doc.Status.Phase, OpensAt: doc.Status.OpensAt, Light: buttons[0], Dark: buttons[1],
	})
}
