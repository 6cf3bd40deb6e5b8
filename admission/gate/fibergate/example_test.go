package fibergate_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/gate/fibergate"
	"github.com/ropeline/ropeline/admission/token"
)

// A shop built on Fiber. Where the keys come from is shown in the example of
// package gate.
func Example() {
	keys, raw := exampleToken()
	g := gate.New(token.NewCache(token.NewVerifier(keys, time.Now), 0), nil, nil)

	app := fiber.New()
	app.Use("/seats", fibergate.New(g, gate.Rule{Sale: "demo"}))
	app.Get("/seats", func(c *fiber.Ctx) error {
		claims, _ := fibergate.Claims(c.Context())
		return c.SendString("welcome, session " + claims.Session)
	})

	for _, authorization := range []string{"Bearer " + raw, ""} {
		r := httptest.NewRequest("GET", "/seats", nil)
		r.Header.Set("Authorization", authorization)
		resp, err := app.Test(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(resp.StatusCode, string(body))
	}
	// Output:
	// 200 welcome, session 0197-a
	// 401 {"type":"urn:ropeline:problem:token-missing","title":"Unauthorized","status":401,"detail":"This needs an admission token: join the line first."}
}

// exampleToken makes a key and what an edge would sign with it.
func exampleToken() (token.KeySet, string) {
	text, err := admission.GenerateKey()
	if err != nil {
		panic(err)
	}
	signer, err := admission.ParseSigner(text)
	if err != nil {
		panic(err)
	}
	now := time.Now()
	raw, err := signer.Sign(token.Claims{Sale: "demo", Place: "cGxhY2U", Session: "0197-a", IssuedAt: now,
		Expires: now.Add(time.Minute), SessionEnds: now.Add(time.Hour)})
	if err != nil {
		panic(err)
	}
	return signer.KeySet(), raw
}
