package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/sluicedata/sluice/internal/decode"
	"github.com/sluicedata/sluice/internal/licenses"
	"github.com/sluicedata/sluice/sinks"
)

// versionFlag prints what this program is, and what of it decides bytes.
type versionFlag bool

// BeforeReset ends the program with the answer, whatever else was asked.
func (versionFlag) BeforeReset(app *kong.Kong, c console) error {
	fmt.Fprint(c.out, version())
	app.Exit(exitDone)
	return nil
}

// licensesFlag prints the licences of all that is in the binary.
type licensesFlag bool

// BeforeReset ends the program with the answer, whatever else was asked.
func (licensesFlag) BeforeReset(app *kong.Kong, c console) error {
	text, err := licenses.Text()
	if err != nil {
		return err
	}
	fmt.Fprint(c.out, text)
	app.Exit(exitDone)
	return nil
}

// release is the version that a release is built as: -ldflags "-X main.release=0.1.0".
var release string

// shortVersion is the release, or the module's version.
func shortVersion() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// version says from which source the program was built, as far as Go has noted it.
func version() string {
	revision, modified := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = ", modified"
			}
		}
	}
	return fmt.Sprintf("sluice %s\nsource   %s%s\nbuilt    %s %s/%s\nwrites   decoder revision %d, directory layout %d\n", shortVersion(), revision, modified,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, decode.Revision, sinks.LayoutVersion)
}
