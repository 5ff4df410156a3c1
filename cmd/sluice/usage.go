package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// This file says in sluice's words what the parser of flags has to say.

var (
	negative   = regexp.MustCompile(`^-[0-9.]`)
	badNumber  = regexp.MustCompile(`^--([a-z-]+): expected (?:a valid 64 bit )?(u?int|float)(?: value)? but got "(.*?)"`)
	suggestion = regexp.MustCompile(`, did you mean "-[^-].*"\?`)
	flagNamed  = regexp.MustCompile(`(?:^|[ "])(--?[a-zA-Z][a-zA-Z-]*)`)
)

// joinNumbers makes --flag -3 one argument, --flag=-3: a negative number would be taken
// for a flag, and whoever gives one is to hear what is wanted.
func joinNumbers(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(out, args[i:]...)
		}
		if strings.HasPrefix(args[i], "--") && !strings.Contains(args[i], "=") && i+1 < len(args) && negative.MatchString(args[i+1]) {
			out = append(out, args[i]+"="+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// inWords rewrites the parser's errors that name Go's types, or a flag that nobody can
// have meant.
func inWords(err error) error {
	text := suggestion.ReplaceAllString(err.Error(), "")
	if m := badNumber.FindStringSubmatch(text); m != nil {
		want := map[string]string{"int": "a whole number", "uint": "a whole number from 0 to 18446744073709551615", "float": "a number"}[m[2]]
		text = fmt.Sprintf("--%s %s: want %s", m[1], m[3], want)
		if m[3] == "EOL" {
			text = fmt.Sprintf("--%s: want %s behind it", m[1], want)
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// ofUsage lists the mistakes of a command line that isn't one of a pipeline's fields: a
// member for each missing flag, and else one, with the flag it names, if any.
func ofUsage(text string) []mistake {
	text, _, _ = strings.Cut(text, "\n(sluice --help")
	if missing, ok := strings.CutPrefix(text, "missing flags: "); ok {
		var list []mistake
		for flag := range strings.SplitSeq(missing, ", ") {
			name, _, _ := strings.Cut(flag, "=")
			list = append(list, mistake{File: name, Message: "is missing: " + flag})
		}
		return list
	}
	flag := ""
	if m := flagNamed.FindStringSubmatch(text); m != nil {
		flag = m[1]
	}
	return []mistake{{File: flag, Message: text}}
}
