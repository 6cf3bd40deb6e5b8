package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/terms"
)

type verifyTermsCommand struct {
	Files []string `arg:"" name:"file" help:"Answers of /api/v1/sales/SALE/terms?version=N, the older first; - reads one from standard input."`
	Keys  string   `required:"" placeholder:"FILE" help:"The public keys: what /.well-known/terms-jwks.json answered."`
	Hash  string   `placeholder:"HEX" help:"The hash of the first of them, if you noted it."`
}

// maxTerms bounds what is read of a file.
const maxTerms = 4 << 20

// Run checks terms sheets offline. Exit 1 means that one does not hold.
func (c *verifyTermsCommand) Run(con console) error {
	keys, err := token.LoadKeySet(c.Keys)
	if err != nil {
		return err
	}
	before := c.Hash
	for i, name := range c.Files {
		signed, err := readTerms(name)
		if err != nil {
			return fmt.Errorf("%s is no terms sheet: %w", name, err)
		}
		sheet, err := terms.Open(signed, keys)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		_, hash, err := terms.Text(signed)
		if err != nil {
			return err
		}
		fmt.Fprintf(con.out, "holds   version %d of the terms of %s, of %s\n        hash %s\n", sheet.Version, sheet.Sale, sheet.At.Format(time.RFC3339), hash)
		switch {
		case i == 0 && c.Hash != "" && !strings.EqualFold(strings.TrimSpace(c.Hash), hash):
			return fmt.Errorf("%s: it is not the one whose hash you noted", name)
		case i > 0 && sheet.Previous != before:
			return fmt.Errorf("%s: it does not follow the one before", name)
		}
		before = hash
		if sheet.Reason != "" {
			fmt.Fprintf(con.out, "changed because: %s\n", sheet.Reason)
		}
		for _, change := range sheet.Changes {
			fmt.Fprintf(con.out, "        %s\n", change)
		}
	}
	return nil
}

// readTerms returns the signed sheet of a document, or of a file that has
// nothing else.
func readTerms(name string) (string, error) {
	var in io.Reader = os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTerms))
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return strings.TrimSpace(string(text)), nil
	}
	var doc struct {
		Signed string `json:"signed"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return "", err
	}
	if doc.Signed == "" {
		return "", errors.New("it has no field signed")
	}
	return doc.Signed, nil
}
