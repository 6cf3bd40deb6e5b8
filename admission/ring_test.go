package admission_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ropeline/ropeline/admission"
	"github.com/ropeline/ropeline/admission/token"
)

func newKeys(t testing.TB) admission.Keys {
	t.Helper()
	text, err := admission.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := admission.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func reread(t testing.TB, k admission.Keys) admission.Keys {
	t.Helper()
	again, err := admission.ParseKeys(k.Text())
	if err != nil || again.Text() != k.Text() {
		t.Fatalf("keys were written as\n%s\nand read as\n%s (%v)", k.Text(), again.Text(), err)
	}
	return again
}

// No step of a rotation can be taken before the one before it is known everywhere.
func TestAKeyIsPublishedBeforeItSignsAndAfterIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	k := newKeys(t)
	if _, err := k.Promote(now, true); err == nil {
		t.Error("a key that is not there was promoted")
	}
	k, err := k.Add(now)
	if err != nil || len(k.KeySet()) != 2 {
		t.Fatalf("%d keys are published of two (%v)", len(k.KeySet()), err)
	}
	k = reread(t, k)
	if _, err := k.Add(now); err == nil {
		t.Error("a second next key was added")
	}
	if _, err := k.Promote(now.Add(admission.KeyOverlap-time.Second), false); err == nil {
		t.Error("a key was promoted that somebody may not know yet")
	}
	promoted := now.Add(admission.KeyOverlap)
	if k, err = k.Promote(promoted, false); err != nil || len(k.KeySet()) != 2 {
		t.Fatalf("%d keys are published after the promotion (%v)", len(k.KeySet()), err)
	}
	k = reread(t, k)
	_, gone, due := k.Retire(promoted.Add(10*time.Minute), false)
	if gone != 0 || due.Sub(promoted) < 20*time.Minute {
		t.Errorf("%d keys are gone 10 min after the promotion, the next may at %v", gone, due)
	}
	if left, gone, _ := k.Retire(due, false); gone != 1 || len(left.KeySet()) != 1 {
		t.Errorf("%d keys are gone when they may, %d are left", gone, len(left.KeySet()))
	}
	if left, gone, _ := k.Retire(promoted, true); gone != 1 || len(left.KeySet()) != 1 {
		t.Error("a key that has leaked cannot be taken away at once")
	}
	for _, bad := range []string{"", "x", k.Text() + k.Text(), "ROPELINE-NEXT-KEY a b 2030-05-01T12:00:00Z\n", k.Text() + "ROPELINE-OLD-KEY a b c\n"} {
		if _, err := admission.ParseKeys(bad); err == nil {
			t.Errorf("%q was read as keys", bad)
		}
	}
}

// Two edges and a verifier, whose files change one after another, as they do when
// they are brought to machines: through a whole rotation every token that either
// edge signs is accepted by the verifier and by the other edge. The retired key
// opens nothing.
func TestARotationRefusesNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	write := func(name string, content []byte) {
		t.Helper()
		draft := filepath.Join(dir, name+".new")
		if err := errors.Join(os.WriteFile(draft, content, 0o600), os.Rename(draft, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	jwks := func(k admission.Keys) []byte {
		t.Helper()
		doc, err := k.KeySet().JWKS()
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	k := newKeys(t)
	for _, name := range []string{"a", "b"} {
		write(name, []byte(k.Text()))
	}
	write("pub", jwks(k))
	a, errA := admission.OpenRing(filepath.Join(dir, "a"), log)
	b, errB := admission.OpenRing(filepath.Join(dir, "b"), log)
	pub, errPub := token.OpenFile(filepath.Join(dir, "pub"), log)
	if err := errors.Join(errA, errB, errPub); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{a.Run, b.Run, pub.Run} {
		running.Go(func() { _ = run(ctx) })
	}
	defer running.Wait()
	defer stop()

	now := func() time.Time { return issued }
	verifiers := []*token.Cache{token.NewCache(token.NewVerifier(a, now), 0), token.NewCache(token.NewVerifier(b, now), 0), token.NewCache(token.NewVerifier(pub, now), 0)}
	var raws []string // of which every one is still to be accepted
	everybodyPasses := func(when string) {
		t.Helper()
		for _, ring := range []*admission.Ring{a, b} {
			raw, err := ring.Sign(claims)
			if err != nil {
				t.Fatal(err)
			}
			raws = append(raws, raw)
		}
		for _, raw := range raws {
			for i, v := range verifiers {
				if _, err := v.Verify(raw); err != nil {
					t.Fatalf("%s, verifier %d refuses a token: %v", when, i, err)
				}
			}
		}
	}
	// reaches waits until all that have the keys of a step have noticed.
	reaches := func(when string, holds func() bool) {
		t.Helper()
		until(t, when, func() bool {
			if holds() {
				return true
			}
			everybodyPasses("while " + when + " is brought around")
			raws = raws[len(raws)-2:]
			return false
		})
		everybodyPasses("after " + when)
	}
	everybodyPasses("before")
	first, _ := a.Sign(claims)

	k, err := k.Add(issued)
	if err != nil {
		t.Fatal(err)
	}
	all := len(k.KeySet())
	knows := func(doc []byte) bool {
		keys, err := token.ParseKeySet(doc)
		return err == nil && len(keys) == all
	}
	write("pub", jwks(k))
	write("a", []byte(k.Text()))
	write("b", []byte("damaged on the way"))
	reaches("the next key", func() bool { return knows(a.JWKS()) })
	write("b", []byte(k.Text()))
	reaches("the next key at the other edge", func() bool { return knows(b.JWKS()) })

	if k, err = k.Promote(issued.Add(admission.KeyOverlap), false); err != nil {
		t.Fatal(err)
	}
	signsAnew := func(r *admission.Ring) bool { raw, _ := r.Sign(claims); return raw != first }
	write("a", []byte(k.Text()))
	reaches("the promotion", func() bool { return signsAnew(a) })
	if signsAnew(b) {
		t.Error("an edge whose file is the old one signs with the new key")
	}
	write("b", []byte(k.Text()))
	reaches("the promotion at the other edge", func() bool { return signsAnew(b) })

	k, _, _ = k.Retire(issued, true)
	write("pub", jwks(k))
	write("a", []byte(k.Text()))
	write("b", []byte(k.Text()))
	for i, v := range verifiers {
		until(t, fmt.Sprintf("verifier %d refuses a token of a retired key", i), func() bool {
			_, err := v.Verify(first)
			return errors.Is(err, token.ErrInvalid)
		})
	}
	raws = nil
	everybodyPasses("after the old key has gone")
}
