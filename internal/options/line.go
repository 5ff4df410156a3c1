package options

import (
	"bytes"
	"reflect"
	"strings"
)

// Line is one line with the options that differ from their defaults, written as in a
// pipeline file.
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
