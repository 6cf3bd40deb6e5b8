package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ropeline/ropeline/queue/draw"
)

type verifyDrawCommand struct {
	File       string `arg:"" help:"The published draw, from /api/v1/sales/SALE/draw/file; - reads it from standard input, and .gz is unpacked."`
	Commitment string `placeholder:"HEX" help:"The commitment that you noted before the lobby closed."`
	Root       string `placeholder:"HEX" help:"The root that you noted before the seed was revealed."`
}

// Run checks a whole draw offline. Exit 1 means that it does not hold, or that
// the file is none.
func (c *verifyDrawCommand) Run(con console) (err error) {
	in, err := openFile(c.File, "the draw")
	if err != nil {
		return err
	}
	defer closing(&err, in)
	f, err := readDraw(in)
	if err != nil {
		return fmt.Errorf("%s is no published draw: %w", c.File, err)
	}
	checks := f.Verify()
	checks = append(checks, noted("commitment", c.Commitment, f.Commitment), noted("root", c.Root, f.Root))
	wrong := false
	for _, check := range checks {
		word, why := "holds ", ""
		if check.Err != nil {
			word, why, wrong = "BROKEN", ": "+check.Err.Error(), true
		}
		fmt.Fprintf(con.out, "%s  %s%s\n", word, check.What, why)
	}
	printBeacon(con.out, f)
	if wrong {
		return fmt.Errorf("the draw of sale %s does not hold", f.Sale)
	}
	fmt.Fprintf(con.out, "the draw of %d places of sale %s holds\n", len(f.Places), f.Sale)
	return nil
}

// printBeacon says what only the source of the beacon can confirm.
func printBeacon(out io.Writer, f draw.File) {
	name, at, there := f.BeaconSource()
	switch {
	case name == "":
	case there:
		fmt.Fprintf(out, "ask    the beacon %s for its value of %s (%d): it must be %x\n", name, at.Format(time.RFC3339), at.Unix(), f.Value)
	default:
		fmt.Fprintf(out, "ask    the beacon %s whether it had no value for %s (%d) in time: the draw went on without it\n", name, at.Format(time.RFC3339), at.Unix())
	}
}

// noted compares a value with what somebody wrote down in time. Without that it
// is only known to fit the rest of the file.
func noted(name, before string, now draw.Hash) draw.Check {
	switch {
	case before == "":
		return draw.Check{What: "the " + name + " is compared with the file alone: pass --" + name + " if you noted it"}
	case !strings.EqualFold(strings.TrimSpace(before), fmt.Sprintf("%x", now)):
		return draw.Check{What: "the " + name + " is the one you noted", Err: fmt.Errorf("the file says %x", now)}
	}
	return draw.Check{What: "the " + name + " is the one you noted"}
}

func openFile(name, what string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return f, nil
}

// readDraw unpacks what begins like gzip; no draw does.
func readDraw(in io.Reader) (draw.File, error) {
	buffered := bufio.NewReader(in)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return draw.File{}, err
	}
	if string(magic) != "\x1f\x8b" {
		return draw.Read(buffered)
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return draw.File{}, err
	}
	return draw.Read(unzipped)
}
