// Package gatefiles holds the configuration files of docs/gate. They are the
// documentation, and what tests and the load test run: a file that is wrong fails
// there. It holds nothing else.
package gatefiles

import "embed"

// Files are the files of this folder.
//
//go:embed nginx.conf routes.yaml Caddyfile haproxy.cfg ropeline.lua
var Files embed.FS
