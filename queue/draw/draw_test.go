package draw

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ropeline/ropeline"
)

// made is a valid draw of so many places, the same every time.
func made(places int) File {
	ids := make([]ropeline.PlaceID, places)
	for i := range ids {
		ids[i] = ropeline.PlaceID(fmt.Sprintf("place-%016d", i*7919%max(1, places)))
	}
	slices.Sort(ids)
	f := File{Terms: Terms{Sale: "vectors", Close: 1795478400000, Beacon: NoBeacon}, Seed: sha256.Sum256([]byte("a seed for tests"))}
	f.Commitment, f.Root = Commitment(f.Terms, f.Seed), Root(ids)
	f.Places = Order(Key(f.Seed, f.Root, f.Value), ids)
	return f
}

// beaten is a valid draw with a beacon, whose value came or did not.
func beaten(places int, came bool) File {
	f := made(places)
	slices.Sort(f.Places)
	f.Beacon, f.RootAt = ropeline.Beacon{Name: "drand", After: 10, Wait: 60}.Rule(), f.Close+1234
	if came {
		f.Value = sha256.Sum256([]byte("a beacon for tests"))
	}
	f.Commitment = Commitment(f.Terms, f.Seed)
	f.Places = Order(Key(f.Seed, f.Root, f.Value), f.Places)
	return f
}

// vectors are the frozen draws by their names.
func vectors() map[string]File {
	v := map[string]File{"draw-beacon-7": beaten(7, true), "draw-beacon-absent-7": beaten(7, false)}
	for _, places := range []int{0, 1, 2, 7, 1000} {
		v[fmt.Sprintf("draw-%d", places)] = made(places)
	}
	return v
}

func text(t interface{ Fatal(...any) }, f File) []byte {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// holds reports the first check that does not hold.
func holds(f File) error {
	for _, c := range f.Verify() {
		if c.Err != nil {
			return fmt.Errorf("%s: %w", c.What, c.Err)
		}
	}
	return nil
}

// The vectors are frozen: a draw that was published once must verify for ever.
func TestFrozenVectors(t *testing.T) {
	t.Parallel()
	for name, vector := range vectors() {
		name = filepath.Join("testdata", name+".txt")
		frozen, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(frozen, text(t, vector)) {
			t.Errorf("%s: the same draw comes out in another way", name)
		}
		f, err := Read(bytes.NewReader(frozen))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := holds(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// damages are the ways in which a published draw may have been changed.
var damages = map[string]func(File) File{
	"a place moved":   func(f File) File { f.Places[2], f.Places[5] = f.Places[5], f.Places[2]; return f },
	"a place dropped": func(f File) File { f.Places = slices.Delete(f.Places, 3, 4); return f },
	"a place added":   func(f File) File { f.Places = slices.Insert(f.Places, 1, "somebody-else"); return f },
	"a place doubled": func(f File) File { f.Places = slices.Insert(f.Places, 1, f.Places[4]); return f },
	"another seed":    func(f File) File { f.Seed[0] ^= 1; return f },
	"another root":    func(f File) File { f.Root[31] ^= 1; return f },
	"another sale":    func(f File) File { f.Sale = "another"; return f },
	"another close":   func(f File) File { f.Close++; return f },
	"a beacon":        func(f File) File { f.Value[3] = 1; return f },
	"another rule":    func(f File) File { f.Beacon = "whatever suits us"; return f },
	"a seed and a commitment of its own": func(f File) File {
		f.Seed[0] ^= 1
		f.Commitment = Commitment(f.Terms, f.Seed)
		return f
	},
}

func TestEveryDamageIsNoticed(t *testing.T) {
	t.Parallel()
	for name, damage := range damages {
		err := holds(damage(made(7)))
		if err == nil {
			t.Errorf("%s: nobody notices", name)
		}
		if name != "a beacon" && holds(damage(beaten(7, true))) == nil {
			t.Errorf("%s, in a draw with a beacon: nobody notices", name)
		}
		if err != nil && name == "a place doubled" && !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: is said to be %v", name, err)
		}
	}
}

// What a fan runs who trusts none of our code must come to the same verdicts.
func TestTheVerifierInPythonAgrees(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("%v; install it with: apt-get install -y python3", err)
	}
	verdict := func(content []byte) bool {
		file := filepath.Join(t.TempDir(), "draw.txt")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, "testdata/verify_draw.py", file).CombinedOutput()
		if err != nil && !strings.HasSuffix(err.Error(), "exit status 1") {
			t.Fatalf("%v: %s", err, out)
		}
		return err == nil
	}
	for name, vector := range vectors() {
		if !verdict(text(t, vector)) {
			t.Errorf("%s does not hold", name)
		}
	}
	for name, damage := range damages {
		if name != "a beacon" && name != "another rule" && verdict(text(t, damage(beaten(7, true)))) {
			t.Errorf("%s, in a draw with a beacon: it holds", name)
		}
	}
	for name, damage := range damages {
		if verdict(text(t, damage(made(7)))) {
			t.Errorf("%s: it holds", name)
		}
	}
	script, err := os.ReadFile("testdata/verify_draw.py")
	if err != nil || bytes.Count(script, []byte("\n")) > 50 {
		t.Errorf("the script has more than 50 lines, %v", err)
	}
}

// A change of any byte, or a cut anywhere, is refused or does not hold.
func TestAnyChangedByteIsNoticed(t *testing.T) {
	t.Parallel()
	valid := text(t, made(20))
	rapid.Check(t, func(t *rapid.T) {
		changed := slices.Clone(valid)
		at := rapid.IntRange(0, len(valid)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			changed = changed[:at]
		} else {
			changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		}
		f, err := Read(bytes.NewReader(changed))
		if err == nil && holds(f) == nil {
			t.Fatalf("byte %d of %d can be changed", at, len(valid))
		}
	})
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	valid := string(text(t, made(7)))
	for name, content := range map[string]string{
		"empty":            "",
		"other version":    strings.Replace(valid, "draw 1", "draw 3", 1),
		"a beacon's":       strings.Replace(valid, "draw 1", "draw 2", 1),
		"a rule too many":  strings.Replace(valid, "rule: none", "rule: drand, 1 s after the root; none if it is not there 1 s later", 1),
		"Windows lines":    strings.ReplaceAll(valid, "\n", "\r\n"),
		"too many places":  valid + "one-more\n",
		"too few":          strings.Replace(valid, "count: 7", "count: 8", 1),
		"negative count":   strings.Replace(valid, "count: 7", "count: -7", 1),
		"a huge count":     strings.Replace(valid, "count: 7", "count: 99999999999", 1),
		"a count with +":   strings.Replace(valid, "count: 7", "count: +7", 1),
		"upper-case hex":   strings.Replace(valid, "seed: ", "seed: A", 1),
		"a huge line":      strings.Replace(valid, "place-", strings.Repeat("x", 5000), 1),
		"an empty place":   strings.Replace(valid, "\n\n", "\n\n\n", 1),
		"fields exchanged": strings.Replace(strings.Replace(valid, "root: ", "x: ", 1), "seed: ", "root: ", 1),
	} {
		if _, err := Read(strings.NewReader(content)); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(text(f, made(3)))
	f.Add(text(f, beaten(3, true)))
	f.Add([]byte("ropeline-draw 1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		read, err := Read(bytes.NewReader(content))
		if err == nil && !bytes.Equal(text(t, read), content) {
			t.Errorf("two texts are one draw: %q", content)
		}
	})
}

func TestAFileSaysWhoseBeaconItIs(t *testing.T) {
	t.Parallel()
	name, at, there := beaten(3, true).BeaconSource()
	// 1.234 s after the close, and 10 s, rounded up to a second.
	if name != "drand" || at.UnixMilli() != 1795478412000 || !there {
		t.Errorf("%q at %v, %v", name, at, there)
	}
	if name, _, there := beaten(3, false).BeaconSource(); name != "drand" || there {
		t.Errorf("absent: %q, %v", name, there)
	}
	if name, _, _ := made(3).BeaconSource(); name != "" {
		t.Errorf("without one: %q", name)
	}
	early := beaten(3, true)
	early.RootAt = early.Close - 1
	if holds(early) == nil {
		t.Error("a root before the close holds")
	}
}

func TestAPlaceProvesThatItIsInTheRoot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := made(rapid.IntRange(1, 70).Draw(t, "places"))
		sorted := slices.Sorted(slices.Values(f.Places))
		at := rapid.IntRange(0, len(sorted)-1).Draw(t, "at")
		p := Prove(sorted, at)
		if root, ok := p.Root(sorted[at]); !ok || root != f.Root {
			t.Fatalf("the proof of place %d of %d does not hold", at, len(sorted))
		}
		if root, ok := p.Root("somebody-else"); ok && root == f.Root {
			t.Fatal("the proof holds for somebody else")
		}
		p.Path = append(p.Path, Hash{})
		if root, ok := p.Root(sorted[at]); ok && root == f.Root {
			t.Fatal("a longer path holds, too")
		}
	})
}

// A tree of many blocks proves what the whole tree does.
func TestATreeProvesWhatProveDoes(t *testing.T) {
	t.Parallel()
	for _, places := range []int{1, 2, block - 1, block, block + 1, 3*block + 5, 5 * block} {
		f := made(places)
		sorted := slices.Sorted(slices.Values(f.Places))
		tree := NewTree(sorted)
		for _, at := range []int{0, places / 3, places / 2, places - 1} {
			p, ok := tree.Prove(sorted[at])
			if root, fits := p.Root(sorted[at]); !ok || !fits || root != f.Root || !slices.Equal(p.Path, Prove(sorted, at).Path) {
				t.Errorf("place %d of %d: %v %v", at, places, p, ok)
			}
		}
		if _, ok := tree.Prove("somebody-else"); ok {
			t.Error("somebody who is not there is proved")
		}
	}
}

// Over many draws every entrant is as often in front as any other, whenever it
// joined: chi-square over ten tenths of the line, with fixed seeds.
func TestRanksAreUniformAndDoNotKnowWhoCameFirst(t *testing.T) {
	t.Parallel()
	const entrants, draws, tenths = 200, 1000, 10
	ids := make([]ropeline.PlaceID, entrants) // in the order in which they joined
	for i := range ids {
		sum := sha256.Sum256(fmt.Append(nil, "entrant ", i))
		ids[i] = ropeline.PlaceID(fmt.Sprintf("%x", sum[:8]))
	}
	sorted := slices.Sorted(slices.Values(ids))
	var first [tenths]int // ranks of whoever joined first, by tenth
	earlier := 0          // how often the first stood before the last
	for n := range draws {
		seed := sha256.Sum256(fmt.Append(nil, "seed ", n))
		order := Order(Key(seed, Root(sorted), Hash{}), ids)
		rank := slices.Index(order, ids[0])
		first[rank*tenths/entrants]++
		if rank < slices.Index(order, ids[entrants-1]) {
			earlier++
		}
	}
	chi := 0.0
	for _, n := range first {
		d := float64(n) - draws/tenths
		chi += d * d / (draws / tenths)
	}
	if chi > 27.9 { // 9 degrees of freedom: one in a thousand
		t.Errorf("ranks of one entrant over %d draws: %v, chi-square %.1f", draws, first, chi)
	}
	if earlier < draws/2-80 || earlier > draws/2+80 { // five standard deviations
		t.Errorf("the first to join stood before the last in %d of %d draws", earlier, draws)
	}
}
