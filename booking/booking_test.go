package booking_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ropeline/ropeline/booking"
)

func TestIDsTellWhenTheyWereMade(t *testing.T) {
	t.Parallel()
	id, err := booking.NewID()
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := booking.MadeAt(id); !ok || time.Since(at).Abs() > time.Minute {
		t.Errorf("%s was made at %v, %v", id, at, ok)
	}
	for _, s := range []string{"", "x", uuid.NewString()} {
		if at, ok := booking.MadeAt(s); ok {
			t.Errorf("%q was made at %v", s, at)
		}
	}
}
