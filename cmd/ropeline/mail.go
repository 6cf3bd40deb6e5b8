package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/ropeline/ropeline/booking/catalogue"
	"github.com/ropeline/ropeline/booking/hold"
	"github.com/ropeline/ropeline/booking/mail"
	"github.com/ropeline/ropeline/booking/newsletter"
	"github.com/ropeline/ropeline/booking/notice"
	"github.com/ropeline/ropeline/booking/order"
	"github.com/ropeline/ropeline/booking/paper"
	"github.com/ropeline/ropeline/booking/people"
	"github.com/ropeline/ropeline/booking/tidings"
	"github.com/ropeline/ropeline/booking/wish"
	"github.com/ropeline/ropeline/internal/monitor"
)

// mailFlags say how letters are sent.
type mailFlags struct {
	siteFlags
	SMTP         string `name:"smtp" placeholder:"URL" help:"The mail server, as smtp://user@mail.example.org:587 or smtps://…:465. Without it no letter is sent."`
	SMTPPassword string `name:"smtp-password" type:"existingfile" placeholder:"FILE" help:"File with the password of the user."`
	Texts        string `type:"existingfile" placeholder:"FILE" help:"How text messages are handed to who sends them to phones, as JSON (docs/messages.md). Without it none is sent."`
	MailFrom     string `placeholder:"ADDRESS" help:"Whom letters come from, as 'Opera <tickets@example.org>'."`
}

// letters is the part that sends them; none if there is no mail server.
func (f mailFlags) letters(rdb redis.UniversalClient, db *pgxpool.Pool, keys keyFolder, reg prometheus.Registerer, log *slog.Logger) ([]part, error) {
	if f.SMTP == "" {
		return nil, nil
	}
	if keys == "" || f.MailFrom == "" {
		return nil, errors.New("letters need --keys and --mail-from")
	}
	server, err := mail.ParseServer(f.SMTP)
	if err != nil {
		return nil, fmt.Errorf("--smtp: %w", err)
	}
	if f.SMTPPassword != "" {
		text, err := os.ReadFile(f.SMTPPassword)
		if err != nil {
			return nil, fmt.Errorf("reading the password of the mail server: %w", err)
		}
		server.Password = strings.TrimRight(string(text), "\r\n")
	}
	opens, err := keys.people()
	if err != nil || !opens.Are() {
		return nil, errors.Join(err, errors.New("letters need people.key; make it with: ropeline keygen init"))
	}
	letters := mail.New(db, opens)
	sender, err := mail.NewSender(letters, server, f.MailFrom, mail.Every, monitor.Part(reg, "worker"), log.With("part", "worker"))
	if err != nil {
		return nil, fmt.Errorf("--mail-from: %w", err)
	}
	if f.Texts != "" {
		gateway, err := mail.OpenGateway(f.Texts)
		if err != nil {
			return nil, fmt.Errorf("--texts: %w", err)
		}
		sender.Texter = gateway
	}
	site, err := f.site()
	if err != nil {
		return nil, err
	}
	var parts []part
	var links []byte // nil: letters lead nowhere
	if site != "" {
		links, err = keys.secret(orderKey)
		if err != nil {
			return nil, err
		}
		page := func(under string) func(string) string {
			return func(id string) string { return site + under + id + "#" + order.Links(links).Key(id) }
		}
		writer := tidings.New(db, letters, page("/orders/"))
		writer.Tickets = page("/tickets/")
		accounts := people.New(db, nil, opens, nil) // nobody signs in here
		writer.Site = site
		writer.Account = func(ctx context.Context, id string) (string, string, error) {
			p, err := accounts.Person(ctx, id)
			return p.Email, p.Language, err
		}
		writer.Held = tidings.NewHolds(hold.New(rdb), catalogue.New(db, time.Now)).Of
		writer.Wishes = wish.New(db, letters, opens, wish.Keys(links), site)
		sender.Writer = writer
		turns, err := newTurner(rdb, keys, writer, accounts, log.With("part", "worker"))
		if err != nil {
			return nil, err
		}
		parts = append(parts, turns...)
		sender.Encloser = tidings.NewPapers(order.NewStore(db, catalogue.New(db, time.Now)), paper.New(db, site))
	} else {
		log.Warn("there is no --site, so no letter is written about orders")
	}
	parts = append(parts, part{"letters", sender.Run})
	if links != nil {
		newsletters := newsletter.NewPoster(newsletter.New(db), letters, newsletter.Keys(links), site, log.With("part", "worker"))
		parts = append(parts, part{"newsletters", newsletters.Run})
	}
	reminder := tidings.NewReminder(db, log.With("part", "worker"))
	poster := notice.NewPoster(notice.New(db), letters, log.With("part", "worker"))
	return append(parts, part{"messages to holders", poster.Run}, part{"reminders", reminder.Run}, part{"sales that open", tidings.NewOpener(db, log.With("part", "worker")).Run}), nil
}
