package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"github.com/ropeline/ropeline/booking/mail"
)

func (s *server) routeBounces() error { return handle(s, "hear-mail", s.hearMail) }

type mailReport struct {
	ID        string `header:"Webhook-Id" doc:"of the report: the same again is the same"`
	At        string `header:"Webhook-Timestamp" doc:"seconds since 1970: at most five minutes ago"`
	Signature string `header:"Webhook-Signature" doc:"by Standard Webhooks, with a secret of --mail-reports"`
	RawBody   []byte `contentType:"application/json"`
}

type heardReport struct {
	Body struct {
		Result string `json:"result" enum:"done,again" doc:"again: it came before, and changed nothing"`
	}
}

// hearMail takes in what the mail provider has heard of addresses: a letter that is refused
// for good marks its address; whoever complains has withdrawn their consent. Where no secret is
// known nobody is believed.
func (s *server) hearMail(ctx context.Context, in *mailReport) (*heardReport, error) {
	result, err := s.heardMail(ctx, in)
	label := result
	switch {
	case err == nil:
	case errors.Is(err, mail.ErrForged):
		label = "forged"
	default:
		label = "failed"
	}
	s.metrics.webhooks.WithLabelValues("mail", label).Inc()
	if err != nil {
		return nil, err
	}
	out := &heardReport{}
	out.Body.Result = result
	return out, nil
}

func (s *server) heardMail(ctx context.Context, in *mailReport) (result string, err error) {
	if len(in.RawBody) > mail.MostReport {
		return "", mail.ErrUnreadable
	}
	h := http.Header{}
	h.Set("Webhook-Id", in.ID)
	h.Set("Webhook-Timestamp", in.At)
	h.Set("Webhook-Signature", in.Signature)
	if err := s.reports.Open(h, in.RawBody); err != nil {
		return "", err
	}
	if len(in.ID) > 200 {
		return "", mail.ErrUnreadable
	}
	reports, err := mail.ParseReports(in.RawBody)
	if err != nil {
		return "", err
	}
	again, err := s.letters.Hear(ctx, in.ID, reports, func(ctx context.Context, tx pgx.Tx, r mail.Report) error {
		if r.Type != "complaint" {
			return nil
		}
		return s.newsletters.Complain(ctx, tx, r.Email)
	})
	if err != nil {
		return "", err
	}
	if again {
		return "again", nil
	}
	return "done", nil
}
