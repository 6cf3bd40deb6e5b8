package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/edge/visitor"
)

type inviteCommand struct {
	Keys    keyFolder     `required:"" placeholder:"DIR" help:"Folder with invite.key."`
	URL     *url.URL      `required:"" placeholder:"URL" help:"Where fans find the edges."`
	Lane    string        `placeholder:"NAME" help:"The lane that they lead to; the main one if not given."`
	Expires time.Duration `default:"720h" help:"How long the invitations hold."`
	Sale    string        `arg:"" help:"The sale."`
	Invitee []string      `arg:"" help:"Whom to invite: a number or a name of yours, letters, digits, dots, hyphens and underscores."`
}

// Run prints a line for each invitee: who it is, and the link. The invitation is
// the link's fragment, which browsers send to nobody.
func (c *inviteCommand) Run(con console) error {
	inviter, err := visitor.LoadInviter(c.Keys.path(inviteKey))
	if err != nil {
		return err
	}
	expires := time.Now().Add(c.Expires)
	for _, invitee := range c.Invitee {
		text, err := inviter.Invite(visitor.Invitation{Sale: ropeline.SaleID(c.Sale), Invitee: invitee, Expires: expires.Unix(), Lane: c.Lane})
		if err != nil {
			return err
		}
		link := strings.TrimSuffix(c.URL.String(), "/") + "/sales/" + c.Sale + "#invitation=" + text
		fmt.Fprintf(con.out, "%s %s\n", invitee, link)
	}
	return nil
}
