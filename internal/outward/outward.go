// Package outward says which addresses a program may connect to that somebody else
// has named: a receiver of webhooks, a probe, a beacon.
//
// The one hard idea is when that is asked: of the address that a name came to, right
// before the connection is made. What a name comes to may change from one question
// to the next, so a check of the name is none.
package outward

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrInside refuses an address.
var ErrInside = errors.New("this address is not to be asked: it is of the machine's own network")

// Dialer returns a dialer that connects to what may be connected to. Transports that
// use it must have no proxy: one resolves names by itself.
func Dialer(timeout time.Duration, may func(netip.Addr) bool) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !may(at.Addr()) {
			return fmt.Errorf("%w: %s", ErrInside, address)
		}
		return nil
	}}
}

// NoCloud reports whether an address may be of a neighbor: anything but those where
// clouds keep the keys of a machine, and those that are nobody's.
func NoCloud(ip netip.Addr) bool {
	ip = plain(ip)
	return !ip.IsLinkLocalUnicast() && !ip.IsMulticast() && !ip.IsUnspecified() && ip != metadataIPv6 && ip != metadataAlibaba
}

// Public reports whether an address is one of the public Internet.
func Public(ip netip.Addr) bool {
	ip = plain(ip)
	if !NoCloud(ip) || !ip.IsGlobalUnicast() || ip.Is6() && !unicast6.Contains(ip) {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// plain is an address as it is reached: fd00:ec2::254%lo is the same address, and an
// IPv4 address that a network translates hides in the last bytes of another.
func plain(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		ip = netip.AddrFrom4([4]byte(ip.AsSlice()[12:]))
	}
	return ip
}

var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96")

	// Where some clouds keep keys outside the link-local addresses.
	metadataIPv6    = netip.MustParseAddr("fd00:ec2::254")
	metadataAlibaba = netip.MustParseAddr("100.100.100.200")

	unicast6 = netip.MustParsePrefix("2000::/3")

	// special are blocks that are not of the public Internet though they look so: of
	// the IANA registries of special-purpose addresses.
	special = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
		"192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	)
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
