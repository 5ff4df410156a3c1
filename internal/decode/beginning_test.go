package decode

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// A File that is used again says of each file what a new one says.
func TestFilesAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 8))
	cases := fills(t)
	var again File
	same := 0
	for range 3000 {
		c := &cases[r.IntN(len(cases))]
		data := c.Encoded
		switch r.IntN(4) {
		case 0:
			data = data[:r.IntN(len(data))]
		case 1: // most of these are tables
			data = slices.Clone(data)
			data[r.IntN(c.First)] ^= 1 << r.IntN(8)
		}
		told := func(f *File) string {
			is, err := f.Open(data, 1<<20)
			if err != nil || !is {
				return fmt.Sprint(is, err)
			}
			defer f.Close()
			p, err := f.Whole(t.Context())
			text := fmt.Sprintf("%+v %+v %v", f.Header, f.coded, err)
			if err == nil {
				text += fmt.Sprint(*p)
			}
			return text
		}
		if again.reader.Knows(data) {
			same++
		}
		want := told(new(File))
		if got := told(&again); got != want {
			t.Fatalf("%s: %.300s, and by a new File %.300s", c.Name, got, want)
		}
	}
	if same < 100 {
		t.Errorf("only %d files began as the one before", same)
	}
}
