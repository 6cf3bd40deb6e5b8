package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ropeline/ropeline/queue/ledger"
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
	swapped := file("swapped.jsonl", strings.Join(lines[:3], "")+lines[4]+lines[3]+strings.Join(lines[5:], ""))
	twice := file("twice.jsonl", strings.Join(lines[:4], "")+lines[3]+strings.Join(lines[4:], ""))
	added := file("added.jsonl", strings.Join(lines[:5], "")+strings.Replace(lines[4], `"kind":"drawn"`, `"kind":"message"`, 1)+strings.Join(lines[5:], ""))
	rewritten := file("rewritten.jsonl", rewrite(t, content, 8, `{"set":{"cap":4000}}`))
	short := file("short.jsonl", strings.Join(lines[:10], ""))
	const signed = "4460374e768e13185c9df400ce9093615ea01cc27650dc5ebb424644a4e563f8" // the head of entry 11, as entry 12 signs it
	key := file("ledger.pub", `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k1","x":"_RckOFqgx1tk-3jNYC-h2ZH96_drE8WO1wLqyDXp9hg"}]}`)
	other := file("other.pub", `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k2","x":"_RckOFqgx1tk-3jNYC-h2ZH96_drE8WO1wLqyDXp9hg"}]}`)

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a whole ledger":           {[]string{vector}, 0, "the ledger of sale vectors holds: entries 1 to 12"},
		"its own key":              {[]string{vector}, 0, "pass --key to be sure"},
		"the key":                  {[]string{vector, "--key", key}, 0, "holds   the signed heads are signed with your keys: 2, the last of entry 11"},
		"another key":              {[]string{vector, "--key", other}, 1, "BROKEN  the signed heads"},
		"a noted head":             {[]string{vector, "--head", "9A7C28E3A3B9D760669C044926B5BC2FFAAB4421BAFD95E887572AC31A7BB69C"}, 0, "is that of entry 1"},
		"another head":             {[]string{vector, "--head", strings.Repeat("0a", 32)}, 1, "BROKEN  the hash that you noted"},
		"an entry changed":         {[]string{changed}, 1, "BROKEN  every entry follows the one before it: none was changed, taken out or put in: entry 8 comes out as"},
		"an entry taken out":       {[]string{missing}, 1, "entry 6 stands where 5 should"},
		"entries in another order": {[]string{swapped}, 1, "entry 5 stands where 4 should"},
		"an entry twice":           {[]string{twice}, 1, "entry 4 stands where 5 should"},
		"an entry put in":          {[]string{added}, 1, "entry 5 stands where 6 should"},
		"history written anew":     {[]string{rewritten, "--key", key}, 1, "BROKEN  the signed heads are signed with your keys: entry 12 signs a head that is not in this chain"},
		"a signed head":            {[]string{vector, "--key", key, "--head", signed}, 0, "is that of entry 11"},
		"cut off before it":        {[]string{short, "--key", key, "--head", signed}, 1, "BROKEN  the hash that you noted is in the ledger: no entry has it"},
		"the latter half":          {[]string{file("half.jsonl", strings.Join(lines[6:], "")), "--key", key}, 0, "entries 7 to 12"},
		"cut":                      {[]string{file("cut.jsonl", string(content[:300]))}, 1, "is no ledger: line 2"},
		"empty":                    {[]string{file("empty.jsonl", "")}, 1, "there are none"},
		"not there":                {[]string{"nowhere.jsonl"}, 1, "reading the ledger"},
		"no key file":              {[]string{vector, "--key", "nowhere.pub"}, 1, "loading key set"},
		"no file at all":           {nil, 2, "hint:"},
	} {
		var out bytes.Buffer
		code := execute(context.Background(), append([]string{"verify-ledger"}, c.args...), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", name, code, c.code, c.says, out.String())
		}
	}
}

// rewrite changes the data of one entry and puts all hashes after it right, as
// somebody could who has everything but the key.
func rewrite(t *testing.T, content []byte, seq int64, data string) string {
	t.Helper()
	entries, err := ledger.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	var head ledger.Head
	for i, e := range entries {
		if e.Seq < seq {
			head = ledger.Head{Sale: e.Sale, Seq: e.Seq, Hash: e.Hash}
			continue
		}
		told := e.Data
		if e.Seq == seq {
			told = json.RawMessage(data)
		}
		at, err := ledger.ParseTime(e.Time)
		if err != nil {
			t.Fatal(err)
		}
		if entries[i], head, err = head.Next(at, e.Kind, told); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := ledger.Write(&out, entries); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
