package people

import "github.com/alexedwards/argon2id"

// Cheaply has passwords hashed for next to nothing: tests have many.
func (s *Store) Cheaply() *Store {
	s.hash.cost = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	return s
}
