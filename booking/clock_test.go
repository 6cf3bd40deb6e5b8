package booking_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline/booking"
)

func TestLocalTimesAreThoseOfTheirZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, local, want string
		err               error
	}{
		{"Europe/Lisbon", "2027-01-05T20:00", "2027-01-05T20:00:00Z", nil},
		{"Europe/Lisbon", "2027-07-05T20:00", "2027-07-05T19:00:00Z", nil},
		{"Europe/Lisbon", "2027-03-28T00:59", "2027-03-28T00:59:00Z", nil},
		{"Europe/Lisbon", "2027-03-28T01:00", "", booking.ErrSkipped},
		{"Europe/Lisbon", "2027-03-28T01:59", "", booking.ErrSkipped},
		{"Europe/Lisbon", "2027-03-28T02:00", "2027-03-28T01:00:00Z", nil},
		{"Europe/Berlin", "2027-10-31T02:30", "2027-10-31T00:30:00Z", nil}, // twice: the first
		{"America/St_Johns", "2027-06-01T19:30", "2027-06-01T22:00:00Z", nil},
		{"Australia/Lord_Howe", "2027-10-03T02:15", "", booking.ErrSkipped}, // half an hour only
		{"Pacific/Apia", "2011-12-30T12:00", "", booking.ErrSkipped},        // a whole day
		{"UTC", "2027-13-01T00:00", "", booking.ErrLocal},
		{"UTC", "2027-03-28T01:00:00Z", "", booking.ErrLocal},
		{"UTC", "9999-03-28T01:00", "", booking.ErrLocal},
		{"UTC", "", "", booking.ErrLocal},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := booking.At(c.local, zone)
		if !errors.Is(err, c.err) || err == nil && got.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("%s in %s: %v, %v; want %s, %v", c.local, c.zone, got, err, c.want, c.err)
		}
	}
}

// Whatever clocks show is found again, at the time itself or earlier that night.
func TestWhatClocksShowIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "America/Sao_Paulo"}).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(1_000_000_000/60, 4_000_000_000/60).Draw(t, "minute")*60, 0)
		shown := at.In(zone).Format(booking.LocalForm)
		got, err := booking.At(shown, zone)
		if err != nil || got.In(zone).Format(booking.LocalForm) != shown || got.After(at) || at.Sub(got) > 2*time.Hour {
			t.Fatalf("%s in %s is %v, %v; want %v", shown, name, got, err, at)
		}
	})
}

func FuzzLocalTimesAreReadOrRefused(f *testing.F) {
	f.Add("2027-03-28T01:30")
	zone, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, local string) {
		at, err := booking.At(local, zone)
		if err == nil && at.In(zone).Format(booking.LocalForm) != local {
			t.Errorf("%q is %v", local, at)
		}
	})
}
