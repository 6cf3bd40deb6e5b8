package relay

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// tunnel connects the client with an upstream that has switched to WebSocket. From
// here on bytes go through as they are: the connection carries no further request.
func (p *Pool) tunnel(w http.ResponseWriter, call *Call, c *conn, resp *http.Response) error {
	if !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		return ErrAway.Because(fmt.Errorf("it switches to %q", resp.Header.Get("Upgrade")))
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("taking the connection over: %w", err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(call.Timeout))
	if call.Answered != nil {
		call.Answered(resp.StatusCode, resp.Header)
	}
	for name, values := range w.Header() {
		if resp.Header[name] == nil {
			resp.Header[name] = values
		}
	}
	out := bufio.NewWriter(client)
	fmt.Fprintf(out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
	listed := named(resp.Header)
	for name, values := range resp.Header {
		if !hopByHop[name] && !listed[name] {
			for _, v := range values {
				fmt.Fprintf(out, "%s: %s\r\n", name, v)
			}
		}
	}
	out.WriteString("\r\n")
	if out.Flush() != nil {
		return nil
	}
	between(call, client, buffered.Reader, c)
	return nil
}

// between copies in both directions until one ends, nothing has been said for
// the time-out, or the session is over.
func between(call *Call, client net.Conn, early *bufio.Reader, c *conn) {
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	_ = client.SetDeadline(time.Time{})
	_ = c.SetDeadline(time.Time{})
	over := make(chan struct{})
	var once sync.Once
	end := func() {
		once.Do(func() {
			close(over)
			_ = client.Close()
			_ = c.Close()
		})
	}
	var running sync.WaitGroup
	running.Go(func() { defer end(); flow(c.Conn, early, &last) })
	running.Go(func() { defer end(); flow(client, c.r, &last) })
	look := time.NewTicker(min(time.Second, call.Timeout/2))
	defer look.Stop()
	for going := true; going; {
		select {
		case <-over:
			going = false
		case <-look.C:
			silent := time.Since(time.Unix(0, last.Load())) > call.Timeout
			if silent || call.Still != nil && !call.Still() {
				end()
			}
		}
	}
	running.Wait()
}

func flow(to io.Writer, from io.Reader, last *atomic.Int64) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := from.Read(buf[:])
		last.Store(time.Now().UnixNano())
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
