package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/booking/audit"
	"github.com/ropeline/ropeline/booking/wording"
	"github.com/ropeline/ropeline/internal/tenant"
)

// An organizer words a letter in their own way, sees what would come of it, and no word of
// theirs is more than a word.
func TestAnOrganizerWordsLetters(t *testing.T) {
	t.Parallel()
	c := start(t)
	var list WordingList
	c.organize(http.MethodGet, wordingsPath, "").is(http.StatusOK, &list)
	if len(list.Letters) != 28 || list.Letters[0].Version != 0 || list.Letters[0].Text == "" || len(list.Letters[0].Placeholders) == 0 {
		t.Errorf("there are %+v", list)
	}
	path := wordingsPath + "/confirmation/de"
	for _, nothing := range []string{"/newsletter/de", "/confirmation/xx", "/account-reset/en"} {
		c.organize(http.MethodGet, wordingsPath+nothing, "").refused(http.StatusNotFound, "wording-unknown")
	}
	text := c.json(m{"subject": "Bis bald bei {event}", "text": "<b>{event}</b>\r\n\r\n{link}"})
	c.organize(http.MethodPut, path, text).refused(http.StatusPreconditionRequired, "if-match-missing")
	bad := c.organize(http.MethodPut, path, c.json(m{"subject": "S", "text": "Dear {buyer}"}), "If-None-Match", "*")
	bad.refused(http.StatusUnprocessableEntity, "wording-invalid")
	if !strings.Contains(string(bad.Body), `"pointer":"/text"`) || !strings.Contains(string(bad.Body), "{buyer}") {
		t.Errorf("it is refused with %s", bad.Body)
	}
	c.organize(http.MethodPut, path, c.json(m{"subject": "S\r\nBcc: all@example.org", "text": "T"}), "If-None-Match", "*").refused(http.StatusUnprocessableEntity, "wording-invalid")

	var made wording.Wording
	put := c.organize(http.MethodPut, path, text, "If-None-Match", "*")
	if put.is(http.StatusCreated, &made); put.Header.Get("ETag") != `"1"` || made.Text != "<b>{event}</b>\n\n{link}" {
		t.Errorf("made %+v", made)
	}
	c.organize(http.MethodPut, path, text, "If-None-Match", "*").is(http.StatusOK, nil) // again: nothing new
	other := c.json(m{"subject": "Other", "text": "T"})
	c.organize(http.MethodPut, path, other, "If-None-Match", "*").refused(http.StatusPreconditionFailed, "changed-meanwhile")
	c.organize(http.MethodPut, path, other, "If-Match", `"1"`).refused(http.StatusUnprocessableEntity, "reason-invalid")
	c.organize(http.MethodPut, path+"?reason=shorter", other, "If-Match", `"1"`).is(http.StatusOK, &made)
	c.organize(http.MethodGet, path, "").is(http.StatusOK, &made)
	if made.Version != 2 || made.Subject != "Other" {
		t.Errorf("now it is %+v", made)
	}
	var log ChangeList
	c.organize(http.MethodGet, organizer+"/changes?subject="+tenant.House, "").is(http.StatusOK, &log)
	if len(log.Changes) < 2 || log.Changes[0].What != audit.OfWording || log.Changes[0].Name != "confirmation de" || log.Changes[0].Reason != "shorter" {
		t.Errorf("written down is %+v", log.Changes)
	}

	c.organize(http.MethodDelete, path, "").refused(http.StatusPreconditionRequired, "if-match-missing")
	c.organize(http.MethodDelete, path, "", "If-Match", `"2"`).refused(http.StatusUnprocessableEntity, "reason-invalid")
	c.organize(http.MethodDelete, path+"?reason=tried", "", "If-Match", `"1"`).refused(http.StatusPreconditionFailed, "changed-meanwhile")
	for range 2 { // the second time there is nothing to do
		var back wording.Wording
		c.organize(http.MethodDelete, path+"?reason=tried", "", "If-Match", `"2"`).is(http.StatusOK, &back)
		if ours, err := wording.Ours(wording.Confirmation, "de"); err != nil || back.Own || back.Version != 3 || back.Template != ours {
			t.Errorf("after the reset it is %+v: %v", back, err)
		}
	}
	c.organize(http.MethodPut, path+"?reason=again", text, "If-Match", `"3"`).is(http.StatusOK, &made)
	if !made.Own || made.Version != 4 {
		t.Errorf("worded again it is %+v", made)
	}

	var shown ShownLetter
	c.organize(http.MethodPost, path+"/preview", text).is(http.StatusOK, &shown)
	if shown.Subject != "Bis bald bei Nozze di Figaro" || !strings.Contains(shown.Text, "<b>Nozze") || !strings.Contains(shown.HTML, "&lt;b&gt;Nozze") || !strings.Contains(shown.HTML, ">Öffnen</a>") {
		t.Errorf("it would come as %+v", shown)
	}
	c.organize(http.MethodPost, path+"/preview", c.json(m{"subject": "{nobody}", "text": "T"})).refused(http.StatusUnprocessableEntity, "wording-invalid")
}
