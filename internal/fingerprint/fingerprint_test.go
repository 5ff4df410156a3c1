package fingerprint

import "testing"

// The values are those of `xxhsum -H2` (xxHash 0.8).
func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"":  "99aa06d3014798d86001c324468d497f",
		"a": "a96faf705af16834e6c632b61e964e1f",
	} {
		p := Of([]byte(text))
		if p.String() != want {
			t.Errorf("%q: %s, want %s", text, p, want)
		}
		if again, err := Parse(want); err != nil || again != p {
			t.Errorf("%s, %v", again, err)
		}
	}
	for _, bad := range []string{"", "99aa", "zzaa06d3014798d86001c324468d497f"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
