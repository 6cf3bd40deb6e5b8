//go:build !linux

package sockets

import (
	"context"
	"errors"
	"io"
)

func playFans(context.Context, order, <-chan string, io.Writer) error {
	return errors.New("sockets are measured on Linux only")
}
