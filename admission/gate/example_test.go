package gate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/gate"
	"github.com/ropeline/ropeline/admission/token"
)

// A shop that knows nothing of Ropeline but the address of its keys: no Redis,
// no database, nothing to install. What it cannot know is that a session ended
// early; such a token opens for up to one token life more (a minute by default).
func Example() {
	line, raw := exampleLine() // in production: an edge of Ropeline, and what a fan got from it
	defer line.Close()

	// Once, when the shop starts.
	keys, err := token.NewRemote(token.RemoteConfig{URL: line.URL + "/.well-known/jwks.json"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	followed := make(chan error)
	go func() { followed <- keys.Run(ctx) }()
	defer func() { stop(); <-followed }()
	<-keys.Ready()

	verifier := token.NewCache(token.NewVerifier(keys, time.Now), 0)
	guard := gate.New(verifier, nil, nil).Middleware(gate.Rule{Sale: "demo", Room: "https://tickets.example/sales/demo"})

	// Then in front of every handler that only admitted people may reach.
	shop := guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		claims, _ := gate.Claims(r.Context())
		fmt.Println("welcome, session", claims.Session)
	}))

	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "https://shop.example/seats", nil)
	r.AddCookie(&http.Cookie{Name: token.Cookie("demo"), Value: raw})
	shop.ServeHTTP(w, r)

	w = httptest.NewRecorder()
	r = httptest.NewRequest("GET", "https://shop.example/seats", nil)
	r.Header.Set("Accept", "text/html")
	shop.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))

	// Output:
	// welcome, session 0197-a
	// 303 https://tickets.example/sales/demo
}

// exampleLine is a stand-in for an edge: it signs a token, and publishes its keys.
func exampleLine() (*httptest.Server, string) {
	text, err := admission.GenerateKey()
	if err != nil {
		panic(err)
	}
	signer, err := admission.ParseSigner(text)
	if err != nil {
		panic(err)
	}
	jwks, err := signer.KeySet().JWKS()
	if err != nil {
		panic(err)
	}
	now := time.Now()
	raw, err := signer.Sign(token.Claims{Sale: "demo", Place: "cGxhY2U", Session: "0197-a", IssuedAt: now,
		Expires: now.Add(time.Minute), SessionEnds: now.Add(time.Hour)})
	if err != nil {
		panic(err)
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) })), raw
}
