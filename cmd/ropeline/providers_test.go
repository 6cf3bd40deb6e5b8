package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with the file of providers is said by who reads it at the start.
func TestAFileOfProvidersNeedsASiteAndAccounts(t *testing.T) {
	t.Parallel()
	const site, good = "https://tickets.example.org", `[{"name": "club", "title": "The club", "issuer": "https://club.example", "client": "ours"}]`
	made := func(providers string) keyFolder {
		keys := keyFolder(filepath.Join(t.TempDir(), "keys"))
		if _, err := keys.init(); err != nil {
			t.Fatal(err)
		}
		if providers != "" {
			if err := os.WriteFile(keys.path(providersFile), []byte(providers), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return keys
	}
	without := made(good)
	if err := os.Remove(without.path(peopleKey)); err != nil {
		t.Fatal(err)
	}
	for want, try := range map[string]struct {
		keys keyFolder
		site string
	}{
		"--site":            {made(good), ""},
		"people.key":        {without, site},
		"providers.json: a": {made("{}"), site},
		`issuer: want an`:   {made(strings.Replace(good, "https", "ftp", 1)), site},
	} {
		if _, err := try.keys.providers(try.site); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if p, err := made(good).providers(site); err != nil || len(p.All()) != 1 {
		t.Errorf("a good one: %v, %v", p, err)
	}
	if p, err := made("").providers(""); err != nil || p != nil {
		t.Errorf("none: %v, %v", p, err)
	}
}
