package dial_test

import (
	"net/url"
	"testing"

	"github.com/ropeline/ropeline/internal/devstack/devtest"
	"github.com/ropeline/ropeline/internal/dial"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// A statement that waits for a lock for ever ends, unless the DSN says other.
func TestStatementsHaveAnEnd(t *testing.T) {
	t.Parallel()
	dsn, and := devtest.PostgresDSN(t), " "
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		and = map[bool]string{true: "?", false: "&"}[u.RawQuery == ""]
	}
	for dsn, want := range map[string]string{dsn: "20s", dsn + and + "statement_timeout=3000": "3s"} {
		pool, err := dial.Postgres(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		var got string
		if err := pool.QueryRow(t.Context(), `show statement_timeout`).Scan(&got); err != nil || got != want {
			t.Errorf("statement_timeout %s, %v; want %s", got, err, want)
		}
	}
}
