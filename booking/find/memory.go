package find

import (
	"context"
	"sync"

	"golang.org/x/sync/singleflight"
)

// memory keeps answers of which nothing has changed, and looks each up once for all who
// wait for it. A generation that is full becomes the old one, and what nobody asked for
// meanwhile is forgotten: so there are two of them at most. Nil remembers nothing.
type memory[V any] struct {
	most   int // in a generation
	asking singleflight.Group

	mu         sync.Mutex
	young, old map[string]V
}

// of returns what is kept for a key, or what look finds, with a context that outlives
// whoever asked first.
func (m *memory[V]) of(ctx context.Context, key string, look func(context.Context) (V, error)) (V, error) {
	if m == nil {
		return look(ctx)
	}
	if v, ok := m.get(key); ok {
		return v, nil
	}
	v, err, _ := m.asking.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		v, err := look(ctx)
		if err == nil {
			m.put(key, v)
		}
		return v, err
	})
	return v.(V), err
}

func (m *memory[V]) get(key string) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.young[key]
	if !ok {
		if v, ok = m.old[key]; ok {
			m.add(key, v)
		}
	}
	return v, ok
}

func (m *memory[V]) put(key string, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key, v)
}

func (m *memory[V]) add(key string, v V) {
	if m.young == nil || len(m.young) >= m.most {
		m.young, m.old = make(map[string]V, m.most), m.young
	}
	m.young[key] = v
}

// answers are what was found since something changed last.
type answers struct {
	texts *memory[sought]
	pages *memory[page]
}

// newAnswers bounds them: a page of 50 has some 30 KB, a text 300 bytes.
func newAnswers() *answers { return &answers{&memory[sought]{most: 1000}, &memory[page]{most: 200}} }

// kept are the answers that hold, none before it is followed what changes.
func (s *Store) kept() answers {
	if a := s.answers.Load(); a != nil {
		return *a
	}
	return answers{}
}
