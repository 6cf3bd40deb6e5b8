//go:build !race

package tcp

var readSocket, writeSocket = readRaw, writeRaw
