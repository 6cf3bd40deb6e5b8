// Package web carries the pages that people see: the waiting room, the shop,
// the order page and the desk of whoever runs the sale.
//
// They are TypeScript, built by Vite into dist and embedded here, so that one
// binary serves them. What is built is not committed: on a fresh clone dist
// holds a placeholder only, the binary builds all the same, and whoever serves
// Pages must notice that index.html is missing and say how to build it.
// It serves nothing itself; package edge does.
package web

import (
	"embed"
	"io/fs"
)

// all: keeps the placeholder (a dot file) in, without which an empty dist
// would not compile.
//
//go:embed all:dist
var dist embed.FS

// Pages returns the built pages: index.html, waiting.html, shop.html,
// order.html, coupons.html, ops.html and the others, and their hashed files below assets/.
func Pages() fs.FS {
	pages, err := fs.Sub(dist, "dist")
	if err != nil { // only for an invalid path, and "dist" is a valid one
		return dist
	}
	return pages
}
