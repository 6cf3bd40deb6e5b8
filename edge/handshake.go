package edge

import (
	"bufio"
	"encoding/base64"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// checkHandshake refuses with a problem document what Accept would refuse with
// plain text.
func checkHandshake(r *http.Request) error {
	keys := r.Header.Values("Sec-WebSocket-Key")
	upgrades := r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && len(keys) == 1 &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade")
	if !upgrades {
		return errUpgradeMissing
	}
	if key, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(key) != 16 {
		return errUpgradeMissing
	}
	return checkSocketOrigin(r)
}

// upgrade does the handshake and returns the bare connection, with what the
// client sent behind its request. The library is for the handshake alone: its
// Conn would keep 2.35 KB a socket and wait for every read and write.
func upgrade(w http.ResponseWriter, r *http.Request) (c net.Conn, early []byte, err error) {
	k := &keeper{ResponseWriter: w}
	conn, err := websocket.Accept(k, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		if k.conn != nil {
			_ = k.conn.Close()
		}
		return nil, nil, err
	}
	_ = conn.CloseNow() // which closes nothing; else its finalizer would try
	return k.conn, k.early, nil
}

// keeper keeps the connection that is hijacked through it, and hands out one
// with small buffers that does not close it.
type keeper struct {
	http.ResponseWriter
	conn  net.Conn
	early []byte
}

func (k *keeper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(k.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	came, err := buffers.Reader.Peek(buffers.Reader.Buffered())
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	k.conn, k.early = conn, append([]byte(nil), came...)
	kept := unclosed{conn}
	return kept, bufio.NewReadWriter(bufio.NewReaderSize(kept, 64), bufio.NewWriterSize(kept, 64)), nil
}

type unclosed struct{ net.Conn }

func (unclosed) Close() error { return nil }
