package jpeg

import (
	"image"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/sluicedata/sluice/internal/guard"
)

// Entropy decoding gives the same samples or the same error with assembly and without: of
// whole files and regions, sound and damaged anywhere, that end where memory does.
func TestScanAssemblyEqualsGo(t *testing.T) {
	if !haveAssembly() {
		t.Skip("no assembly for this machine")
	}
	defer func(was, deposits bool) { useAssembly, fastDeposits = was, deposits }(useAssembly, fastDeposits)
	var files [][]byte
	for _, g := range goldens(t) {
		files = append(files, g.Encoded)
	}
	for i := range uint64(4) {
		files = append(files, noisy(t, 50+i, i == 3))
	}
	for range 12 { // large enough for assembly, and so drawn more often than the others
		for _, name := range []string{"testdata/progressive-420.jpg", "testdata/progressive-444.jpg"} {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, data)
		}
	}
	r := rand.New(rand.NewPCG(11, 12))
	var d Decoder
	failed := 0
	for round := range 1200 {
		file := files[r.IntN(len(files))]
		data := guard.Slice[uint8](t, len(file))
		copy(data, file)
		if damage := round % 3; damage > 0 {
			for range damage {
				data[len(data)/2+r.IntN(len(data)/2)] ^= 1 << r.IntN(8)
			}
		}
		region, denominator := image.Rect(0, 0, 1<<16, 1<<16), 1
		if round%2 == 1 {
			if _, err := ReadHeader(data); err == nil {
				region, denominator = randomRegion(r, data)
			}
		}
		d.Fill = r.IntN(3) == 0
		useAssembly, fastDeposits = false, r.IntN(2) == 0
		want := described(&d, data, region, denominator, nil)
		if useAssembly = true; described(&d, data, region, denominator, nil) != want {
			t.Fatalf("round %d, %v at 1/%d, fill %v: assembly gives something else than %.80q", round, region, denominator, d.Fill, want)
		}
		if len(want) < 150 {
			failed++
		}
	}
	if failed < 100 || failed > 700 {
		t.Errorf("%d of 1200 failed: the damage is too weak or too strong to say much", failed)
	}
}
