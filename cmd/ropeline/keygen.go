package main

import (
	"fmt"
	"strings"
)

type keygenCommand struct {
	Init    keygenInit    `cmd:"" help:"Make the keys that are missing. None is ever overwritten."`
	Rotate  keygenRotate  `cmd:"" help:"Add the next admission key: it is published, and signs nothing yet."`
	Promote keygenPromote `cmd:"" help:"Let the next admission key sign; the old one is still accepted."`
	Retire  keygenRetire  `cmd:"" help:"Take away old admission keys whose tokens have all expired."`
	Tickets keygenTickets `cmd:"" help:"Add a key that codes of tickets on phones are made with."`
	Staff   keygenStaff   `cmd:"" help:"Add a member of staff, and print their key once."`
}

type keygenInit struct {
	Keys keyFolder `required:"" placeholder:"DIR" help:"Folder of the keys."`
}

func (c *keygenInit) Run(con console) error {
	made, err := c.Keys.init()
	if len(made) > 0 {
		fmt.Fprintf(con.out, "made in %s: %s\n", c.Keys, strings.Join(made, " "))
	} else if err == nil {
		fmt.Fprintf(con.out, "nothing was missing in %s\n", c.Keys)
	}
	return err
}

type keygenStaff struct {
	Keys keyFolder `required:"" placeholder:"DIR" help:"Folder of the keys."`
	Name string    `arg:"" help:"Who it is: lower-case letters, digits and hyphens; of a vendor its shop, a dot and that."`
	Role string    `arg:"" help:"What they may do: sre, organizer, shop, vendor, boxoffice, door or supervisor."`

	Organization string `placeholder:"SLUG" help:"Whom they work for; left out: whoever runs the installation."`
}

func (c *keygenStaff) Run(con console) error {
	key, err := c.Keys.addStaff(c.Name, c.Role, c.Organization)
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%s\n", key)
	con.log.Info("added to staff; this key is shown once and kept nowhere, and is good once the processes that read it were started again", "name", c.Name, "role", c.Role)
	return nil
}
