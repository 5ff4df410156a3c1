package pipefile

import (
	"os"
	"strings"
	"testing"
)

// The pipelines of docs/mixing.md are legal, as far as that shows without their data.
func TestMixingPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/mixing.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 3 {
		t.Fatalf("%d pipelines", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ := strings.Cut(block, "```")
		pipe, err := Parse("page.yaml", []byte(block), "", real)
		if err == nil {
			err = pipe.Check()
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
}
