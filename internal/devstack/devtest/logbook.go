package devtest

import (
	"bytes"
	"sync"
)

// Logbook is a log that a test reads while it is written. The zero Logbook is empty.
type Logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is of an io.Writer.
func (l *Logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was logged.
func (l *Logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
