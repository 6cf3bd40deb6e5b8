package outward

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct{ public, noCloud bool }{
		"93.184.215.14": {true, true}, "2606:2800:21f:cb07::1": {true, true}, "64:ff9b::5db8:d70e": {true, true}, "::ffff:93.184.215.14": {true, true},
		"127.0.0.1": {false, true}, "127.9.9.9": {false, true}, "::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "64:ff9b::7f00:1": {false, true},
		"10.1.2.3": {false, true}, "172.31.0.1": {false, true}, "192.168.0.1": {false, true}, "100.64.0.1": {false, true}, "fd00::1": {false, true}, "fc00::1": {false, true},
		"64:ff9b::c0a8:1": {false, true}, "2002:7f00:1::": {false, true}, "2001:0:1::1": {false, true}, "::127.0.0.1": {false, true}, "198.18.0.1": {false, true},
		"0.1.2.3": {false, true}, "240.0.0.1": {false, true}, "255.255.255.255": {false, true}, "2001:db8::1": {false, true}, "fec0::1": {false, true},
		"169.254.169.254": {false, false}, "::ffff:169.254.169.254": {false, false}, "64:ff9b::a9fe:a9fe": {false, false}, "fe80::1%eth0": {false, false},
		"0.0.0.0": {false, false}, "::": {false, false}, "224.0.0.1": {false, false}, "ff02::1": {false, false}, "fd00:ec2::254%lo": {false, false}, "100.100.100.200": {false, false},
	} {
		ip := netip.MustParseAddr(address)
		if Public(ip) != want.public || NoCloud(ip) != want.noCloud {
			t.Errorf("%s: public %v, no cloud's %v, want %v", address, Public(ip), NoCloud(ip), want)
		}
	}
}

// The address is judged that the name came to.
func TestDialerAsksAtTheLastMoment(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if conn, err := Dialer(time.Second, Public).DialContext(ctx, "tcp", net.JoinHostPort(host, port)); !errors.Is(err, ErrInside) {
			t.Errorf("%s: %v, %v", host, conn, err)
		}
	}
	conn, err := Dialer(time.Second, NoCloud).DialContext(ctx, "tcp", net.JoinHostPort("localhost", port))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// A name that leads outside when it is looked at, and inside when it is called: what
// counts is where the call would go, and one good address among others vouches for none.
func TestANameThatChangesItsMindLeadsNowhere(t *testing.T) {
	t.Parallel()
	outside, inside := [4]byte{127, 0, 0, 1}, [4]byte{127, 0, 0, 2} // stand-ins: nobody is outside of a test
	may := func(ip netip.Addr) bool { return ip == netip.AddrFrom4(outside) }
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	var leads atomic.Pointer[[][4]byte]
	dns := resolves(t, &leads)
	dial := func(to ...[4]byte) error {
		t.Helper()
		leads.Store(&to)
		d := Dialer(5*time.Second, may)
		d.Resolver = dns
		conn, err := d.DialContext(t.Context(), "tcp4", net.JoinHostPort("receiver.example.", port))
		if err == nil {
			if at := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); !may(at) {
				t.Errorf("it led to %v", at)
			}
			_ = conn.Close()
		}
		return err
	}
	if err := dial(outside); err != nil {
		t.Fatal(err)
	}
	if err := dial(inside); !errors.Is(err, ErrInside) {
		t.Errorf("the same name, a moment later: %v", err)
	}
	if err := dial(inside, outside); err != nil {
		t.Errorf("of two addresses one may be called: %v", err)
	}
}

// resolves is a name server of a test, for which every name leads where the test says.
func resolves(t *testing.T, leads *atomic.Pointer[[][4]byte]) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = server.Close(); <-done })
	go func() {
		defer close(done)
		packet := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			for _, ip := range *leads.Load() {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: ip}})
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}
