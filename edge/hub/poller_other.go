//go:build !linux

package hub

import "net"

// poller is not there on systems without epoll: each connection is pumped.
type poller struct{}

func newPoller() (*poller, error)            { return nil, nil }
func (*poller) run(<-chan struct{}) error    { return nil }
func (*poller) close() error                 { return nil }
func (*poller) watch(*Socket, net.Conn) conn { return nil }
