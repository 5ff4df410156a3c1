package schema

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
)

func TestCheckFormat(t *testing.T) {
	with := func(values ...string) *arrow.Schema {
		keys := []string{MetaFormat, MetaPlanHash}[:len(values)]
		md := arrow.NewMetadata(keys, values)
		return arrow.NewSchema(nil, &md)
	}
	for _, fine := range []*arrow.Schema{with(), with("1")} {
		if err := CheckFormat(fine); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"2", "99999999999999999999", "0", "-1", "", "one"} {
		if err := CheckFormat(with(text)); err == nil || !strings.Contains(err.Error(), "this sluice reads format 1") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadRun(with("2", "aa")); err == nil || !strings.Contains(err.Error(), "sluice.format is \"2\"") {
		t.Error(err)
	}
}
