package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
	"github.com/ropeline/ropeline/internal/bench"
)

// What nginx does: an upstream of 1 KB, a bare proxy in front of it, one that asks
// the gate on its socket, one that asks it over TCP, and one that asks on a socket
// somebody who always says yes: no gate could be faster.
const nginxConf = `user %[10]s;
worker_processes auto;
daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.log crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  keepalive_requests 1000000;
  upstream shop { server %[2]s; keepalive 64; }
  upstream gate { server unix:%[1]s/verify.sock; keepalive 64; }
  upstream tcp { server %[5]s; keepalive 64; }
  server { listen %[2]s; location / { default_type text/plain; return 200 "%[6]s"; } }
  upstream yes { server unix:%[1]s/yes.sock; keepalive 64; }
  server { listen unix:%[1]s/yes.sock; location / { return 204; } }
  proxy_http_version 1.1;
  proxy_set_header Connection ""; # one here and no other is inherited
  server { listen %[3]s; location / { proxy_pass http://shop; } }
  server { listen %[4]s; location / { auth_request /verify; proxy_pass http://shop; } location = /verify { %[9]s proxy_pass http://gate/gate/verify; } }
  server { listen %[7]s; location / { auth_request /verify; proxy_pass http://shop; } location = /verify { %[9]s proxy_pass http://tcp/gate/verify; } }
  server { listen %[8]s; location / { auth_request /verify; proxy_pass http://shop; } location = /verify { %[9]s proxy_pass http://yes; } }
}
`

// nginxAsks is what docs/gate/nginx.conf tells the gate.
const nginxAsks = `internal; proxy_pass_request_body off; proxy_set_header Connection ""; proxy_set_header Content-Length "";
      proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method; proxy_set_header X-Original-Host $host;
`

const routesFile = `rooms: [tickets.example]
hosts:
  - host: %[1]s
    upstream: http://%[3]s
    sale: %[4]s
    connections: 512
    routes:
      - {paths: /free/**, token: none, fail: open}
      - {paths: /**, token: required, fail: closed}
  - host: %[2]s
    upstream: http://%[3]s
    sale: %[5]s
    connections: 512
    routes:
      - {paths: /free/**, token: none, fail: open}
      - {paths: /**, token: required, fail: closed}
`

// addresses of what is measured.
type addresses struct{ shop, bare, asking, tcp, trusting, edge string }

func (s *stage) raise(ctx context.Context) (a addresses, raw string, err error) {
	for _, at := range []*string{&a.shop, &a.bare, &a.asking, &a.tcp, &a.trusting, &a.edge} {
		if *at, err = freePort(); err != nil {
			return a, "", err
		}
	}
	me, err := user.Current() // the socket is for its own user
	if err != nil {
		return a, "", err
	}
	keys := s.path("keys")
	made, err := s.start(program, "keygen", "init", "--keys", keys)
	if err != nil {
		return a, "", err
	}
	if err := made.Wait(); err != nil {
		return a, "", fmt.Errorf("making keys: %w", err)
	}
	s.ran = s.ran[:0]
	if err := errors.Join(
		s.write("nginx.conf", fmt.Sprintf(nginxConf, s.dir, a.shop, a.bare, a.asking, a.edge, strings.Repeat("x", 1024), a.tcp, a.trusting, nginxAsks, me.Username)),
		s.write("routes.yaml", fmt.Sprintf(routesFile, shopHost, netHost, a.shop, sale, net_)),
		s.publish(ctx, 1_000_000, 10_000_000)); err != nil {
		return a, "", err
	}
	if _, err := s.start("nginx", "-c", s.path("nginx.conf"), "-e", "/dev/null"); err != nil {
		return a, "", err
	}
	if _, err := s.start(program, "edge", "--redis", s.server.URL, "--keys", keys, "--listen", a.edge, "--booking", "http://127.0.0.1:1", "--ops", "http://127.0.0.1:1",
		"--routes", s.path("routes.yaml"), "--trusted-proxies", "127.0.0.1/32", "--requests-limit=-1", "--joins-limit=-1", "--address-limit=-1", "--visitor-limit=-1", "--session-limit=-1",
		"--log", "error", "--private-listen", "off", "--verify-socket", s.path("verify.sock")); err != nil {
		return a, "", err
	}
	raw, err = signed(keys + "/admission.key")
	return a, raw, err
}

// signed is a token that lives for an hour.
func signed(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	signer, err := admission.ParseSigner(string(text))
	if err != nil {
		return "", err
	}
	now := time.Now()
	return signer.Sign(token.Claims{Sale: sale, Place: "AAAAAAAAAAAAAAAAAAAAAA", Session: "bench", IssuedAt: now, Expires: now.Add(time.Hour), SessionEnds: now.Add(2 * time.Hour)})
}

// proxyRows measures requests through the gate beside the same through nginx.
func proxyRows(ctx context.Context, p bench.Plan, out io.Writer) (_ []bench.Row, err error) {
	s, err := newStage(ctx)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	a, raw, err := s.raise(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ticking := make(chan struct{})
	go func() { // the net's controller
		defer close(ticking)
		for ctx.Err() == nil {
			_, _ = s.store.Tick(ctx, net_, "bench", time.Minute) // the next does what this one did not
			time.Sleep(200 * time.Millisecond)
		}
	}()
	defer func() { stop(); <-ticking }()
	cookie := []string{"Host", shopHost, "Cookie", token.Cookie(sale) + "=" + raw}
	var urls []string
	for _, at := range []string{a.bare, a.edge, a.asking, a.tcp, a.trusting} {
		urls = append(urls, "http://"+at+"/seats")
	}
	for _, url := range urls {
		if err := ask(ctx, url, cookie...); err != nil {
			return nil, err
		}
	}
	if err := ask(ctx, "http://"+a.edge+"/seats", "Host", netHost); err != nil {
		return nil, fmt.Errorf("the net is not quiet: %w", err)
	}
	var rates [5][]float64
	var free, quiet [2][]float64
	for n := range p.Runs {
		each, err := inTurns(ctx, max(1, p.Of(5)), urls, cookie...)
		if err != nil {
			return nil, err
		}
		for i, rate := range each {
			rates[i] = append(rates[i], rate)
		}
		fmt.Fprintf(out, "run %d: nginx %.0f/s, gate %.0f/s, nginx that asks the gate %.0f/s, over TCP %.0f/s, nginx that asks nginx %.0f/s\n", n+1, each[0], each[1], each[2], each[3], each[4])
		if err := visits(ctx, p.Of(300), "http://"+a.edge, &free, &quiet); err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "run %d: free p50 %.0f us p99 %.0f us, quiet net p50 %.0f us p99 %.0f us\n", n+1, free[0][n], free[1][n], quiet[0][n], quiet[1][n])
	}
	const bare = "nginx proxy_pass"
	return []bench.Row{
		bench.Compare("request through the gate with token check", "requests/s", rates[1], bare, rates[0]).RatioAtLeast(0.7),
		bench.Compare("nginx with auth_request to /gate/verify on a Unix socket", "requests/s", rates[2], bare, rates[0]).RatioAtLeast(0.5),
		bench.Compare("the same over TCP", "requests/s", rates[3], bare, rates[0]).Untargeted(),
		bench.Compare("nginx with auth_request to an nginx that says yes, on a Unix socket", "requests/s", rates[4], bare, rates[0]).Untargeted(),
		bench.Compare("request through a quiet safety net, p50, visits of 20 (5 % are first requests)", "us", quiet[0], "the proxy without a token", free[0]).RatioAtMost(1.3),
		bench.Compare("request through a quiet safety net, p99, visits of 20 (5 % are first requests)", "us", quiet[1], "the proxy without a token", free[1]).RatioAtMost(1.3),
	}, nil
}

// visitLong is how many requests a visit has: the first brings no token.
const visitLong = 20

// visits lets people come one after another, in turns to a route that needs no token
// and to the net, and keeps the median and the 99th percentile (us) of the requests of
// each. Who comes to the net brings with the others what it got with the first.
func visits(ctx context.Context, people int, url string, free, quiet *[2][]float64) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	took := map[string][]float64{}
	for range people {
		for _, path := range []string{"/free/x", "/seats"} {
			each, err := visit(ctx, client, url+path)
			if err != nil {
				return err
			}
			took[path] = append(took[path], each...)
		}
	}
	for path, into := range map[string]*[2][]float64{"/free/x": free, "/seats": quiet} {
		slices.Sort(took[path])
		into[0] = append(into[0], took[path][len(took[path])/2])
		into[1] = append(into[1], took[path][len(took[path])*99/100])
	}
	return nil
}

func visit(ctx context.Context, client *http.Client, url string) (took []float64, err error) {
	var cookie string
	for i := range visitLong {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return nil, err
		}
		if r.Host = netHost; cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		began := time.Now()
		resp, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		took = append(took, float64(time.Since(began).Nanoseconds())/1000)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s answers %s to request %d of a visit", url, resp.Status, i)
		}
		for _, c := range resp.Cookies() {
			cookie = c.Name + "=" + c.Value
		}
	}
	return took, nil
}
