package main

import "testing"

func TestWithoutPackages(t *testing.T) {
	for in, want := range map[string]string{
		`sources: voc: set: "a: b": there is no such file`:      `voc: set: "a: b": there is no such file`,
		`stages: decode: JPEG: damaged (key "a.jpg")`:           `decode: JPEG: damaged (key "a.jpg")`,
		`sinks: sources: folder: no images`:                     `folder: no images`,
		"flow: 2 failed:\n  stages: flip: x\n  sources: voc: y": "2 failed:\n  flip: x\n  voc: y",
		`--resume: a.state: flow: the state is damaged`:         `--resume: a.state: the state is damaged`,
		`folder: write stages: [decode]`:                        `folder: write stages: [decode]`,
		`workflow: it has no sources: give one`:                 `workflow: it has no sources: give one`,
	} {
		if got := withoutPackages(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
