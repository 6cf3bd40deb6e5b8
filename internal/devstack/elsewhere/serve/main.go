// Command serve runs a server of OpenID Connect for a test in a browser, until its standard
// input ends: so it does not outlive whoever started it. Its arguments are where the client
// "ours" is sent back to, and its accounts, each as name=address, or name?=address where
// that address is not verified. It prints its issuer.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ropeline/ropeline/internal/devstack/elsewhere"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	if len(args) < 1 {
		return fmt.Errorf("want where to send people back to")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	issuer, err := elsewhere.Issuer(ln)
	if err != nil {
		return err
	}
	var all []elsewhere.User
	for _, account := range args[1:] {
		name, email, ok := strings.Cut(account, "=")
		name, unverified := strings.CutSuffix(name, "?")
		if !ok {
			return fmt.Errorf("%s: want name=address, or name?=address for one that is not verified", account)
		}
		all = append(all, elsewhere.User{Name: name, Email: email, Verified: !unverified})
	}
	server := &http.Server{Handler: elsewhere.New(issuer, map[string]string{"ours": args[0]}, all...), ReadHeaderTimeout: 5 * time.Second}
	fmt.Println(issuer)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(ln); err != http.ErrServerClosed {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
