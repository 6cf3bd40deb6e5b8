// Package watched notices that a file has changed while a process runs: keys that
// are rotated, say. It reads the file each second and compares the bytes. Keys are
// a few hundred bytes, and times of files lie: a copy may keep an old one, two
// writes may fall into one.
//
// What cannot be used is logged once, and what was there before stays in use.
package watched

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Every is how often a file is looked at.
const Every = time.Second

// File calls use with the file's content whenever that has changed, until ctx
// ends. What it is now, known, is not told.
func File(ctx context.Context, path string, every time.Duration, known []byte, log *slog.Logger, use func([]byte) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	complained := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		content, err := os.ReadFile(path)
		if err == nil {
			if bytes.Equal(content, known) {
				complained = ""
				continue
			}
			if err = use(content); err == nil {
				known, complained = content, ""
				log.Info("the file has changed and is in use", "file", path)
				continue
			}
			err = fmt.Errorf("what is in it cannot be used: %w", err)
		}
		if text := err.Error(); text != complained {
			complained = text
			log.Error("following a file; what was there before stays in use", "file", path, "err", err)
		}
	}
}
