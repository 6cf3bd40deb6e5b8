package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ropeline/ropeline/booking/payment/sandbox"
)

// The line hears what is left while a core serves, and who has bought; a purchase
// stands though that cannot be told.
func TestTheLineHearsOfStockAndBuyers(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.line.mu.Lock()
	c.line.fails = true
	c.line.mu.Unlock()
	claims := c.claims()
	fan := c.sign(claims, jwt.SigningMethodEdDSA, c.key)
	h := c.hold(fan, 0, 1, 2)
	c.pay(fan, "key", h.ID, sandbox.OK).is(http.StatusCreated, nil)
	c.pay(fan, "key", h.ID, sandbox.OK).is(http.StatusCreated, nil)
	for deadline := time.Now().Add(20 * time.Second); ; c.get("/api/v1/events", "") {
		c.line.mu.Lock()
		free, sold, bought := c.line.stock.Free(), int64(0), c.line.bought[claims.Place]
		for _, tier := range c.line.stock.Tiers {
			sold += tier.Sold
		}
		c.line.mu.Unlock()
		if free == 297 && sold == 3 && bought == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the line heard of %d free and %d sold units, and %d times of the buyer", free, sold, bought)
		}
	}
}
