package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/internal/bench"
)

// knows is a gate's company that has nothing to say.
type knows struct{}

func (knows) Ended(string) (bool, error)         { return false, nil }
func (knows) Mode(ropeline.SaleID) ropeline.Mode { return ropeline.ModeRun }

// serveShop is a shop in Fiber, with the handler behind the middleware and the same
// without.
func serveShop(address, key string) error {
	text, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	signer, err := admission.ParseSigner(string(text))
	if err != nil {
		return err
	}
	g := gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), knows{}, knows{})
	body := strings.Repeat("x", 1024)
	show := func(c *fiber.Ctx) error { return c.SendString(body) }
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/without", show)
	app.Get("/behind", fibergate.New(g, gate.Rule{Sale: sale}), show)
	return app.Listen(address)
}

func fiberRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	s, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	text, err := admission.GenerateKey()
	if err != nil {
		return nil, err
	}
	if err := s.write("admission.key", text); err != nil {
		return nil, err
	}
	raw, err := signed(s.path("admission.key"))
	if err != nil {
		return nil, err
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if _, err := s.start(self, "shop", at, s.path("admission.key")); err != nil {
		return nil, err
	}
	cookie := []string{"Cookie", token.Cookie(sale) + "=" + raw} // the same request to both
	urls := []string{"http://" + at + "/behind", "http://" + at + "/without"}
	for _, url := range urls {
		if err := ask(ctx, url, cookie...); err != nil {
			return nil, err
		}
	}
	var with, without []float64
	for n := range p.Runs {
		rates, err := inTurns(ctx, max(1, p.Of(5)), urls, cookie...)
		if err != nil {
			return nil, err
		}
		with, without = append(with, rates[0]), append(without, rates[1])
		fmt.Fprintf(out, "run %d: behind the middleware %.0f/s, without %.0f/s\n", n+1, with[n], without[n])
	}
	return []bench.Row{bench.Compare("Fiber handler behind the middleware", "requests/s", with, "the same handler without", without).RatioAtLeast(0.95)}, nil
}
