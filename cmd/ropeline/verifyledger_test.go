package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyLedger(t *testing.T) {
	t.Parallel()
	const vector = "../../queue/ledger/testdata/ledger.jsonl"
	content, err := os.ReadFile(vector)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(content), "\n"), "\n")
	changed := file("changed.jsonl", strings.Replace(string(content), `"cap":40`, `"cap":41`, 1))
	missing := file("missing.jsonl", strings.Join(append(lines[:4:4], lines[5:]...), ""))
	key := file("ledger.pub", `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k1","x":"_RckOFqgx1tk-3jNYC-h2ZH96_drE8WO1wLqyDXp9hg"}]}`)
	other := file("other.pub", `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k2","x":"_RckOFqgx1tk-3jNYC-h2ZH96_drE8WO1wLqyDXp9hg"}]}`)

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a whole ledger":     {[]string{vector}, 0, "the ledger of sale vectors holds: entries 1 to 12"},
		"its own key":        {[]string{vector}, 0, "pass --key to be sure"},
		"the key":            {[]string{vector, "--key", key}, 0, "holds   the signed heads are signed with your keys: 2, the last of entry 11"},
		"another key":        {[]string{vector, "--key", other}, 1, "BROKEN  the signed heads"},
		"a noted head":       {[]string{vector, "--head", "9A7C28E3A3B9D760669C044926B5BC2FFAAB4421BAFD95E887572AC31A7BB69C"}, 0, "is that of entry 1"},
		"another head":       {[]string{vector, "--head", strings.Repeat("0a", 32)}, 1, "BROKEN  the hash that you noted"},
		"an entry changed":   {[]string{changed}, 1, "BROKEN  every entry follows the one before it: none was changed, taken out or put in: entry 8 comes out as"},
		"an entry taken out": {[]string{missing}, 1, "entry 6 stands where 5 should"},
		"the latter half":    {[]string{file("half.jsonl", strings.Join(lines[6:], "")), "--key", key}, 0, "entries 7 to 12"},
		"cut":                {[]string{file("cut.jsonl", string(content[:300]))}, 1, "is no ledger: line 2"},
		"empty":              {[]string{file("empty.jsonl", "")}, 1, "there are none"},
		"not there":          {[]string{"nowhere.jsonl"}, 1, "reading the ledger"},
		"no key file":        {[]string{vector, "--key", "nowhere.pub"}, 1, "loading key set"},
		"no file at all":     {nil, 2, "hint:"},
	} {
		var out bytes.Buffer
		code := execute(context.Background(), append([]string{"verify-ledger"}, c.args...), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", name, code, c.code, c.says, out.String())
		}
	}
}
