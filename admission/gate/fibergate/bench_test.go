package fibergate_test

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/ropeline/ropeline"
	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/admission/token"
)

// nothing is a gate's company that has nothing to say.
type nothing struct{}

func (nothing) Ended(string) (bool, error)         { return false, nil }
func (nothing) Mode(ropeline.SaleID) ropeline.Mode { return ropeline.ModeRun }

// What the middleware costs a request is the difference to "without".
func BenchmarkMiddleware(b *testing.B) {
	for _, path := range []string{"/without", "/behind", "/limited"} {
		b.Run(path[1:], func(b *testing.B) {
			ask := shop(b)
			b.ReportAllocs()
			for b.Loop() {
				ask(path)
			}
		})
	}
}

// shop has one handler without the middleware, behind it, and behind one that
// counts. The request is in memory already when it is asked.
func shop(b testing.TB) (ask func(path string)) {
	text, err := admission.GenerateKey()
	if err != nil {
		b.Fatal(err)
	}
	signer, err := admission.ParseSigner(text)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	raw, err := signer.Sign(token.Claims{Sale: "bench", Place: "AAAAAAAAAAAAAAAAAAAAAA", Session: "AAAAAAAAAAAAAAAAAAAAAA", IssuedAt: now, Expires: now.Add(time.Hour), SessionEnds: now.Add(2 * time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	behind := func() *gate.Gate {
		return gate.New(token.NewCache(token.NewVerifier(signer.KeySet(), time.Now), 0), nothing{}, nothing{})
	}
	show := func(c *fiber.Ctx) error { return c.SendString("seats") }
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/without", show)
	app.Get("/behind", fibergate.New(behind(), gate.Rule{Sale: "bench"}), show)
	app.Get("/limited", fibergate.New(behind().WithRate(1<<60, time.Now), gate.Rule{Sale: "bench"}), show)
	serve := app.Handler()
	var c fasthttp.RequestCtx
	c.Init(&fasthttp.Request{}, nil, nil)
	came := "GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: theme=dark; " + token.Cookie("bench") + "=" + raw + "\r\n\r\n"
	if err := c.Request.Read(bufio.NewReader(strings.NewReader(came))); err != nil { // as the server does
		b.Fatal(err)
	}
	return func(path string) {
		c.Request.SetRequestURI(path)
		c.ResetUserValues()
		if serve(&c); c.Response.StatusCode() != fiber.StatusOK {
			b.Fatal(c.Response.String())
		}
	}
}
