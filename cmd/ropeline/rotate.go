package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ropeline/ropeline/admission"
)

// Rotating an admission key takes three commands, on one folder; the two files are
// brought to all machines after each. Running processes notice within a second.

type keygenRotate struct {
	Keys keyFolder `required:"" placeholder:"DIR" help:"Folder of the keys."`
}

func (c *keygenRotate) Run(con console) error {
	k, err := c.Keys.admission()
	if err != nil {
		return err
	}
	now := time.Now()
	if k, err = k.Add(now); err != nil {
		return err
	}
	if err := c.Keys.replaceAdmission(k); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "the next key is published; bring %s and %s to all machines, then, from %s on: ropeline keygen promote --keys %s\n",
		admissionKey, admissionPublic, now.Add(admission.KeyOverlap).UTC().Format(time.RFC3339), c.Keys)
	return nil
}

type keygenPromote struct {
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder of the keys."`
	AtOnce bool      `help:"Do not wait until everybody knows the key: the old one has leaked."`
}

func (c *keygenPromote) Run(con console) error {
	k, err := c.Keys.admission()
	if err != nil {
		return err
	}
	if k, err = k.Promote(time.Now(), c.AtOnce); err != nil {
		return err
	}
	if err := c.Keys.replaceAdmission(k); err != nil {
		return err
	}
	_, _, due := k.Retire(time.Now(), false)
	fmt.Fprintf(con.out, "the next key signs; bring %s and %s to all machines, then, from %s on: ropeline keygen retire --keys %s\n",
		admissionKey, admissionPublic, due.UTC().Format(time.RFC3339), c.Keys)
	return nil
}

type keygenRetire struct {
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder of the keys."`
	AtOnce bool      `help:"Do not wait until their tokens have expired: the key has leaked, and whoever has such a token needs another."`
}

func (c *keygenRetire) Run(con console) error {
	k, err := c.Keys.admission()
	if err != nil {
		return err
	}
	k, gone, next := k.Retire(time.Now(), c.AtOnce)
	if gone == 0 {
		if next.IsZero() {
			return fmt.Errorf("there is no old key in %s", c.Keys)
		}
		return fmt.Errorf("tokens of the old key may be accepted until %s", next.UTC().Format(time.RFC3339))
	}
	if err := c.Keys.replaceAdmission(k); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "old keys that are gone: %d\n", gone)
	return nil
}

type keygenTickets struct {
	Keys   keyFolder `required:"" placeholder:"DIR" help:"Folder of the keys."`
	AtOnce bool      `help:"The old keys have leaked: forget them. Whoever has a ticket open has to load it again, and doors their lists."`
}

func (c *keygenTickets) Run(con console) error {
	keys, err := c.Keys.tickets()
	if err != nil {
		return err
	}
	keys, since := keys.Add(time.Now(), c.AtOnce)
	if err := c.Keys.replace(ticketKey, []byte(keys.Text())); err != nil {
		return err
	}
	when := "before " + since.Format(time.RFC3339) + ", when phones get keys of it"
	if c.AtOnce {
		when = "at once: the old keys are believed until then"
	}
	fmt.Fprintf(con.out, "the new key is there; bring %s to all booking cores and start them again %s\n", ticketKey, when)
	return nil
}

// admission reads the admission keys.
func (k keyFolder) admission() (admission.Keys, error) {
	text, err := os.ReadFile(k.path(admissionKey))
	if err != nil {
		return admission.Keys{}, fmt.Errorf("loading admission key: %w", err)
	}
	return admission.ParseKeys(string(text))
}

// replaceAdmission writes the two files of the admission keys, each whole or not
// at all. Who checks is told first: nobody may sign with a key that the other file
// does not have.
func (k keyFolder) replaceAdmission(keys admission.Keys) error {
	jwks, err := keys.KeySet().JWKS()
	if err != nil {
		return err
	}
	if err := k.replace(admissionPublic, jwks); err != nil {
		return err
	}
	return k.replace(admissionKey, []byte(keys.Text()))
}

func (k keyFolder) replace(name string, content []byte) error {
	draft, err := os.CreateTemp(string(k), name+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(content)
	if err == nil {
		err = draft.Sync()
	}
	if closing := draft.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(draft.Name(), filepath.Join(string(k), name))
	}
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	return nil
}
