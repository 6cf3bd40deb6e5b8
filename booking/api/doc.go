// Package api is the booking core's HTTP surface: Fiber v2 with huma on top,
// which checks requests and writes the OpenAPI document from the code.
//
// The one hard idea is that access is a table. Every route stands in Routes
// with who may call it; the guards are made from the table, and a request that
// passed no guard finds nothing behind them, so a route that is not in the
// table is not reachable. The core checks admission tokens itself and serves
// nobody else even when it is called directly, not through the edge.
//
// Handlers translate: JSON to calls of the booking packages, *ropeline.Error
// to problem documents. They decide nothing about holds, money or tickets.
package api
