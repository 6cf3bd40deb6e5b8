package devtest

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline/internal/devstack"
)

// FreePort returns a loopback address that nobody listens on.
func FreePort(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Program runs a foreign program until the test ends, and waits until it takes
// connections at address.
func Program(tb testing.TB, address, name string, args ...string) {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("%s is not installed; install it with: apt-get install %s (Debian, Ubuntu) or brew install %s (macOS)", name, name, name)
	}
	ctx, stop := context.WithCancel(context.Background())
	said := &output{}
	ended := make(chan error, 1)
	go func() { ended <- devstack.Companion(ctx, path, args, said) }()
	tb.Cleanup(func() {
		stop()
		<-ended
		if tb.Failed() {
			tb.Logf("%s said: %s", name, said)
		}
	})
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for deadline := time.After(startup); ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-look.C:
		case err := <-ended:
			ended <- err
			tb.Fatalf("%s ended while starting: %v: %s", name, err, said)
		case <-deadline:
			tb.Fatalf("%s does not listen on %s: %s", name, address, said)
		}
	}
}

// output keeps what a program says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
