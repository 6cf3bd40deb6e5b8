package edge

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns the address a request comes from. X-Forwarded-For is
// believed only as far as trusted proxies wrote it: walking from the right,
// the first address that is not a trusted proxy is the client. What stands
// further left was written by the client and may say anything. Whoever comes by a
// Unix socket has no address and is a trusted proxy (ServeAsking); the zero Addr means
// that it does not say for whom.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client, _ := parseAddress(r.RemoteAddr)
	if !within(client, trusted) && !onSocket(r.RemoteAddr) {
		return client
	}
	lines := r.Header["X-Forwarded-For"]
	if len(lines) == 0 {
		return client
	}
	hops := strings.Split(strings.Join(lines, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseAddress(strings.TrimSpace(hops[i]))
		if !ok {
			return client // not written by a proxy: believe nothing further left
		}
		client = hop
		if !within(client, trusted) {
			return client
		}
	}
	return client
}

// onSocket reports whether a peer's address is of a Unix socket: "@" for one without a
// name, as a client's is.
func onSocket(peer string) bool { return peer == "@" || strings.HasPrefix(peer, "/") }

// parseAddress reads an address with or without a port and brackets.
// IPv4-mapped IPv6 becomes IPv4 and zones are dropped, so that one host has
// one key.
func parseAddress(s string) (netip.Addr, bool) {
	if p, err := netip.ParseAddrPort(s); err == nil { // most have one, and errors cost
		return p.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// limitKey names who shares a limit: an IPv4 address, or an IPv6 /64, which is
// what one subscriber gets; counting whole addresses would give a bot 2^64
// keys.
func limitKey(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "local"
	case a.Is4():
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil { // cannot be: every IPv6 address has a /64
		return a.String()
	}
	return p.String()
}
