package outward

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
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
