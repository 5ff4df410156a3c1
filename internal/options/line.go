package options

import (
	"bytes"
	"reflect"
	"strings"
)

// Line is the options that aren't their defaults, in a line, in the form of pipeline
// files.
func Line(of any) string {
	t := reflect.TypeOf(of)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	usual := Fields(reflect.New(t).Interface())
	var list []string
	for i, f := range Fields(of) {
		text, err := f.JSON()
		if err != nil {
			return err.Error()
		}
		if without, err := usual[i].JSON(); err != nil || !bytes.Equal(text, without) {
			list = append(list, f.Name+": "+strings.NewReplacer(`"`, "", ",", ", ").Replace(string(text)))
		}
	}
	return strings.Join(list, ", ")
}
