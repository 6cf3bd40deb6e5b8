package tcp

import "testing"

// With the race detector the other tests do without the calls that this package is for.
func TestBytesPassBothWaysByRawCalls(t *testing.T) {
	t.Parallel()
	c, other := pair(t)
	c.direct.in.call, c.direct.out.call = readRaw, writeRaw
	bothWays(t, c, other)
}
