package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/queue/ledger"
)

type verifyLedgerCommand struct {
	File string `arg:"" help:"The published ledger, from /api/v1/sales/SALE/ledger/file; - reads it from standard input."`
	Key  string `placeholder:"FILE" help:"The organizer's ledger.pub, from where you trust it to be theirs."`
	Head string `placeholder:"HEX" help:"A hash that you noted: nothing up to it was changed since."`
}

// Run checks a copy of a ledger offline. Exit 1 means that it does not hold, or
// that the file is none.
func (c *verifyLedgerCommand) Run(con console) (err error) {
	in, err := openFile(c.File, "the ledger")
	if err != nil {
		return err
	}
	defer closing(&err, in)
	entries, err := ledger.Read(in)
	if err != nil {
		return fmt.Errorf("%s is no ledger: %w", c.File, err)
	}
	var keys token.KeySet
	if c.Key != "" {
		if keys, err = token.LoadKeySet(c.Key); err != nil {
			return err
		}
	}
	checks := append(ledger.Verify(entries, keys), notedHead(entries, c.Head))
	if !printChecks(con.out, checks) {
		return fmt.Errorf("the ledger in %s does not hold", c.File)
	}
	first, last := entries[0], entries[len(entries)-1]
	fmt.Fprintf(con.out, "the ledger of sale %s holds: entries %d to %d, %s to %s\nhead   %s\n", last.Sale, first.Seq, last.Seq, first.Time, last.Time, last.Hash)
	return nil
}

// printChecks prints what holds and what does not, and reports whether all does.
func printChecks(out io.Writer, checks []ledger.Check) (all bool) {
	all = true
	for _, check := range checks {
		word, why := "holds ", ""
		if check.Err != nil {
			word, why, all = "BROKEN", ": "+check.Err.Error(), false
		}
		fmt.Fprintf(out, "%s  %s%s\n", word, check.What, why)
	}
	return all
}

// notedHead looks for a hash that somebody wrote down in time.
func notedHead(entries []ledger.Entry, noted string) ledger.Check {
	noted = strings.ToLower(strings.TrimSpace(noted))
	if noted == "" {
		return ledger.Check{What: "no hash was noted: pass --head if you did"}
	}
	for _, e := range entries {
		if e.Hash == noted {
			return ledger.Check{What: fmt.Sprintf("the hash that you noted is that of entry %d", e.Seq)}
		}
	}
	return ledger.Check{What: "the hash that you noted is in the ledger", Err: fmt.Errorf("no entry has it: it was rewritten, or the copy is older")}
}
