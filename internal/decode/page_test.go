package decode

import (
	"bytes"
	"image"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// tablesOf reads the tables of docs/formats.md: of each the cells of its rows.
func tablesOf(t *testing.T) (tables [][][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	within := false
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			within = false
			continue
		}
		if !within {
			within, tables = true, append(tables, nil)
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		tables[len(tables)-1] = append(tables[len(tables)-1], cells)
	}
	return tables
}

// tableWith is the table of docs/formats.md whose second column is headed so, without its head, by format.
func tableWith(t *testing.T, second string) map[string][]string {
	t.Helper()
	for _, table := range tablesOf(t) {
		if len(table) > 2 && len(table[0]) > 1 && table[0][1] == second {
			rows := map[string][]string{}
			for _, row := range table[2:] {
				rows[row[0]] = row
			}
			return rows
		}
	}
	t.Fatalf("docs/formats.md has no table with a column %q", second)
	return nil
}

// TestFormatsPage holds the tables of docs/formats.md to the formats that there are.
func TestFormatsPage(t *testing.T) {
	read, broken := tableWith(t, "extensions"), tableWith(t, "a part by itself")
	if len(read) != len(formats) || len(broken) != len(formats) {
		t.Errorf("%d and %d rows for %d formats", len(read), len(broken), len(formats))
	}
	for _, f := range formats {
		if row := read[f.name]; len(row) < 4 || row[1] != strings.Join(f.extensions, " ") {
			t.Errorf("%s: %q, not %q", f.name, row, f.extensions)
		}
		if row := broken[f.name]; len(row) != 5 {
			t.Errorf("%s has no row of files that are cut or damaged", f.name)
		}
	}
}

// TestPageOfBrokenFiles holds the table of parts and of cut and damaged files to what decoding does.
func TestPageOfBrokenFiles(t *testing.T) {
	rows, random := tableWith(t, "a part by itself"), rand.New(rand.NewPCG(1, 1))
	for _, g := range goldens(t) {
		p, err := Parse(g.Encoded)
		if err != nil {
			t.Fatalf("%s: %v", g.Name, err)
		}
		row := rows[p.Format]
		f, _ := OpenJPEG(g.Encoded, 0)
		if parts := f != nil || p.HasRegions() || p.Stored(g.Encoded) != nil; yesNo(parts) != row[1] {
			t.Errorf("%s: parts by themselves: %v, the page has %q", g.Name, parts, row[1])
		}
		whole := mustDecode(t, g.Encoded)
		for range 30 {
			cut := g.Encoded[:random.IntN(len(g.Encoded))]
			h, _ := ReadHeader(cut)
			lost := p.Orientation != h.Orientation && p.Format == "TIFF" // behind the pixels, and damaged metadata count as upright
			got, err := Decode(t.Context(), cut, 0)
			if row[2] != "an error" || err == nil && !lost && !bytes.Equal(got.U8, whole.U8) {
				t.Errorf("%s: cut after %d of %d bytes: other pixels, the page has %q", g.Name, len(cut), len(g.Encoded), row[2])
			}
			got, repairs, filled := Counted(t.Context(), cut, 0, true)
			inScan := p.Format == "JPEG" && afterFirstScanHeader(cut)
			switch {
			case row[3] == "filled" && inScan && (filled != nil || repairs == 0 && !bytes.Equal(got.U8, whole.U8)):
				t.Errorf("%s: cut after %d of %d bytes, filled: %d repairs, %v", g.Name, len(cut), len(g.Encoded), repairs, filled)
			case row[3] == "an error" && (filled == nil) != (err == nil):
				t.Errorf("%s: cut after %d of %d bytes: %v, with truncated: fill %v", g.Name, len(cut), len(g.Encoded), err, filled)
			}
			if p.HasRegions() && err != nil { // of a part that is in what is left, too
				if q, failed := Parse(cut); failed == nil && q.HasRegions() {
					if _, failed := q.Region(t.Context(), image.Rect(0, 0, 1, 1), nil); failed == nil {
						t.Errorf("%s: cut after %d of %d bytes: its first pixel can be had, the whole not: %v", g.Name, len(cut), len(g.Encoded), err)
					}
				}
			}
		}
		damage(t, g, row[4], random)
	}
}

// damage changes bits of the pixel data.
func damage(t *testing.T, g golden, page string, random *rand.Rand) {
	t.Helper()
	kind, _, _ := strings.Cut(g.Name, "/")
	from, to := len(g.Encoded)/2, len(g.Encoded)
	always, never := page == "an error: checksums", false
	switch {
	case always:
		from = bytes.Index(g.Encoded, []byte("IDAT")) + 4
		to = bytes.LastIndex(g.Encoded, []byte("IEND")) - 4
	case strings.HasPrefix(page, "other pixels") && (kind == "bmp" && !strings.Contains(g.Name, "rle") || kind == "ppm" && g.Name[len("ppm/P")] > '3'):
		never, from = true, to-g.Height*((g.Width+7)/8) // within the pixels, which have at least a bit
	}
	for range 20 {
		data := bytes.Clone(g.Encoded)
		at := from + random.IntN(to-from)
		data[at] ^= 1 << random.IntN(8)
		_, err := Decode(t.Context(), data, 0)
		if err != nil && (never || strings.Contains(err.Error(), "panicked")) || err == nil && always {
			t.Errorf("%s, byte %d: %v, the page has %q", g.Name, at, err, page)
		}
	}
}

// afterFirstScanHeader reports whether a JPEG file goes on behind the first scan's header.
func afterFirstScanHeader(data []byte) bool {
	for at := 2; at+4 <= len(data); {
		length := int(data[at+2])<<8 | int(data[at+3])
		if at += 2 + length; data[at-length-1] == 0xda {
			return at < len(data)
		}
	}
	return false
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
