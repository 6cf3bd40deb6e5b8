package insight

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ropeline/ropeline"
)

// MostFiles is how many files are written at once: each holds a connection of Postgres
// while it is.
const MostFiles = 2

// ErrBusy refuses a file while others are being written.
var ErrBusy = &ropeline.Error{Kind: ropeline.Unavailable, Code: "exports-busy", RetryAfter: 5 * time.Second,
	Detail: "Other files are being written just now. Please try again in a moment."}

// File is a file that is written to its end. Nobody finds it but who has it, and it is gone
// when it is closed.
type File struct {
	*os.File
	Size int64
	Name string // what to call it where it is kept
}

// write makes a file of what put writes into it, all of it or nothing.
func (s *Store) write(ctx context.Context, name string, put func(context.Context, io.Writer) error) (*File, error) {
	select {
	case s.files <- struct{}{}:
		defer func() { <-s.files }()
	default:
		return nil, ErrBusy
	}
	f, err := os.CreateTemp("", "ropeline-export-*")
	if err != nil {
		return nil, fmt.Errorf("writing an export: %w", err)
	}
	size, err := fill(ctx, f, put)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{File: f, Size: size, Name: name}, nil
}

func fill(ctx context.Context, f *os.File, put func(context.Context, io.Writer) error) (int64, error) {
	if err := os.Remove(f.Name()); err != nil { // what is open stays readable
		return 0, fmt.Errorf("writing an export: %w", err)
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if err := put(ctx, w); err != nil {
		return 0, err
	}
	if err := w.Flush(); err != nil {
		return 0, fmt.Errorf("writing an export: %w", err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return 0, fmt.Errorf("writing an export: %w", err)
	}
	return size, nil
}
