package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicedata/sluice/flow/pipefile"
	"github.com/sluicedata/sluice/internal/options"
	"github.com/sluicedata/sluice/sinks"
)

// This file chooses formats of data sets: by name for writing, by their files for reading.

// format is the one that the flags or the file name: flags take precedence over the
// file, the file over the default.
func (cmd *materializeCmd) format(inFile sinks.Format) (sinks.Format, error) {
	format := inFile
	if format == nil {
		format = catalogs.Sinks[0].New()
	}
	if name := cmd.Format; name != "" && name != format.Name() {
		if format = newFormat(name); format == nil {
			return nil, pipefile.Error{File: "--format " + name, Msg: fmt.Sprintf("unknown format %q: one of %s", name, strings.Join(formatNames(), ", "))}
		}
	}
	var errs []error
	if cmd.Codec != "" {
		errs = append(errs, setOption(format, "codec", cmd.Codec, "--codec "+cmd.Codec))
	}
	if cmd.PartRows != nil {
		errs = append(errs, setOption(format, "part_rows", int64(*cmd.PartRows), fmt.Sprintf("--part-rows %d", *cmd.PartRows)))
	}
	if cmd.ClassNames {
		errs = append(errs, setOption(format, "class_names", true, "--class-names"))
	}
	if _, ok := format.(sinks.Updater); cmd.Update && !ok {
		errs = append(errs, pipefile.Error{File: "--update", Msg: fmt.Sprintf("the format %s cannot be updated: materialize into another directory", format.Name())})
	}
	return format, errors.Join(errs...)
}

// setOption sets a format's option to a flag's value.
func setOption(format sinks.Format, name string, value any, flag string) error {
	err := options.Set(format, name, value)
	if errors.As(err, new(*options.UnknownError)) {
		err = fmt.Errorf("the format %s has no option %s", format.Name(), name)
		if own := "shard_rows"; name == "part_rows" && slices.Contains(options.Names(format), own) {
			err = fmt.Errorf("%w; its option for this is %s: --set sink.%s.%s=%v", err, own, format.Name(), own, value)
		}
	}
	if err != nil {
		return pipefile.Error{File: flag, Msg: strings.TrimPrefix(err.Error(), name+": ")}
	}
	return nil
}

// newFormat is the format of a name, with its defaults, or nil.
func newFormat(name string) sinks.Format {
	for _, e := range catalogs.Sinks {
		if f := e.New(); f.Name() == name {
			return f
		}
	}
	return nil
}

func formatNames() (list []string) {
	for _, e := range catalogs.Sinks {
		list = append(list, e.New().Name())
	}
	return list
}

// formatOf is the format that recognizes a path, or the default one, whose errors say what
// is wrong with it.
func formatOf(path string) sinks.Format {
	if f := sinks.Recognize(catalogs.Sinks, path); f != nil {
		return f
	}
	return catalogs.Sinks[0].New()
}
