//go:build !linux

package sockets

import (
	"context"
	"errors"
	"io"
	"time"
)

func playFans(context.Context, order, <-chan string, io.Writer) error {
	return errors.New("sockets are measured on Linux only")
}

func cpuOf(int) (time.Duration, error) {
	return 0, errors.New("sockets are measured on Linux only")
}
