package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMeasure: classes come in equal numbers, and each figure is what was drawn.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, map[string]int{"dark": 30, "light": 6}); err != nil {
		t.Fatal(err)
	}
	figures, err := measure(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != 2 {
		t.Fatalf("%d classes", len(figures))
	}
	for i, f := range figures {
		if f.Images != 40 { // 40 draws an epoch, 2 epochs, 2 classes
			t.Errorf("%s: %d images", f.Class, f.Images)
		}
		if want := []string{"dark/029.png", "light/005.png"}[i]; f.Lightest != want { // each is drawn at least once
			t.Errorf("%s: the lightest is %s, want %s", f.Class, f.Lightest, want)
		}
	}
	// 6 images are drawn 40 times: 6 or 7 times each, about evenly.
	if want := 182.5 / 255; math.Abs(figures[1].Mean-want) > 0.5/255 {
		t.Errorf("light: mean %.4f, want about %.4f", figures[1].Mean, want)
	}
	if want := (40 + 14.5) / 255; math.Abs(figures[0].Mean-want) > 3.0/255 {
		t.Errorf("dark: mean %.4f, want about %.4f", figures[0].Mean, want)
	}
}

// TestBrokenImage: the error comes out of the loop, and names the file.
func TestBrokenImage(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, map[string]int{"dark": 2, "light": 2}); err != nil {
		t.Fatal(err)
	}
	broken(t, dir, "light/001.png")
	_, err := measure(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "light/001.png") {
		t.Errorf("%v", err)
	}
}

func broken(t *testing.T, dir, key string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(key)), []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
}
