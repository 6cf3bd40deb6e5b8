package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyDraw(t *testing.T) {
	t.Parallel()
	const vector = "../../queue/draw/testdata/draw-7.txt"
	content, err := os.ReadFile(vector)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(content); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	commitment := strings.TrimPrefix(lines[4], "commitment: ")
	lines[10], lines[11] = lines[11], lines[10]
	moved := file("moved.txt", []byte(strings.Join(lines, "\n")+"\n"))

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a valid draw":        {[]string{vector}, 0, "the draw of 7 places"},
		"a beacon":            {[]string{"../../queue/draw/testdata/draw-beacon-7.txt"}, 0, "ask    the beacon drand for its value of 2026-"},
		"no beacon came":      {[]string{"../../queue/draw/testdata/draw-beacon-absent-7.txt"}, 0, "the draw went on without it"},
		"packed":              {[]string{file("draw.gz", zipped.Bytes())}, 0, "the draw of 7 places"},
		"the noted values":    {[]string{vector, "--commitment", strings.ToUpper(commitment)}, 0, "the commitment is the one you noted"},
		"another commitment":  {[]string{vector, "--commitment", "00"}, 1, "BROKEN  the commitment"},
		"another root":        {[]string{vector, "--root", commitment}, 1, "BROKEN  the root"},
		"places exchanged":    {[]string{moved}, 1, "BROKEN  the order"},
		"cut":                 {[]string{file("cut.txt", content[:300])}, 1, "no published draw: line"},
		"not there":           {[]string{"nowhere.txt"}, 1, "reading the draw"},
		"no file at all":      {nil, 2, "hint:"},
		"something else, .gz": {[]string{file("x.gz", []byte("\x1f\x8bnonsense"))}, 1, "no published draw"},
	} {
		var out bytes.Buffer
		code := execute(context.Background(), append([]string{"verify-draw"}, c.args...), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s", name, code, c.code, c.says, out.String())
		}
	}
}
