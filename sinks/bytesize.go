package sinks

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sluicedata/sluice/internal/options"
)

// Bytes is a number of bytes. Files write it as 500MiB, 2GB, or a plain number.
type Bytes int64

var byteUnits = []struct {
	name string
	size float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// SetOption reads a number or a text with a unit.
func (b *Bytes) SetOption(v any) error {
	switch v := v.(type) {
	case int64:
		*b = Bytes(v)
		return nil
	case string:
		text, unit := v, 1.0
		for _, u := range byteUnits {
			if number, ok := strings.CutSuffix(v, u.name); ok {
				text, unit = strings.TrimSpace(number), u.size
				break
			}
		}
		n, err := strconv.ParseFloat(text, 64)
		if err == nil && n*unit >= 1 && n*unit <= 1<<60 {
			*b = Bytes(math.Round(n * unit))
			return nil
		}
	}
	return fmt.Errorf("want a size such as 500MiB or 2GB, have %s", options.Have(v))
}

// OptionSchema describes the file form.
func (Bytes) OptionSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "integer", "minimum": 1},
		map[string]any{"type": "string", "pattern": `^[0-9.]+ ?([KMGT]i?B|B)?$`},
	}}
}

// MarshalJSON writes the largest unit of which it is a whole number.
func (b Bytes) MarshalJSON() ([]byte, error) {
	best, name := 1.0, ""
	for _, u := range byteUnits {
		if u.size > best && b > 0 && math.Mod(float64(b), u.size) == 0 {
			best, name = u.size, u.name
		}
	}
	if name == "" {
		return json.Marshal(int64(b))
	}
	return json.Marshal(fmt.Sprintf("%d%s", int64(float64(b)/best), name))
}
