package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A socket that a killed process left behind is replaced, one that is in use is not.
func TestASocketOfADeadProcessIsReplaced(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "sock-") // a socket's path has 100 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "verify.sock")
	killed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := listenLocal(t.Context(), path)
	if err != nil {
		t.Fatal("the socket of a dead process:", err)
	}
	defer ln.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is open to %v, %v; want 660", info.Mode(), err)
	}
	if _, err := listenLocal(t.Context(), path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the socket of one that lives: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenLocal(t.Context(), file); err == nil {
		t.Error("a file of somebody else became a socket")
	}
	if text, err := os.ReadFile(file); string(text) != "somebody's" {
		t.Errorf("a file of somebody else: %q, %v", text, err)
	}
}
