package schema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
)

// checkRun compares what the metadata hold.
func checkRun(t *testing.T, got, want *Run) {
	t.Helper()
	stored := &Run{PlanHash: want.PlanHash, Pipeline: want.Pipeline, Seed: want.Seed, Tasks: want.Tasks, Counts: want.Counts}
	if !reflect.DeepEqual(got, stored) {
		t.Errorf("ReadRun gives %+v, want %+v", got, stored)
	}
}

func TestSchemaColumns(t *testing.T) {
	s, err := withParams(testRun(FormTensor, Tensor{Float32, CHW, 4, 5, 0})).Schema(0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range s.Fields() {
		line := f.Name + " " + f.Type.String()
		if f.Nullable {
			line += " or null"
		}
		got = append(got, line)
	}
	want := []string{
		"key utf8",
		"image arrow.fixed_shape_tensor<float32[3,4,5]>",
		"label.shape int32 or null",
		"label.type int32 or null",
		"weight float32",
		"epoch int32",
		"position int64",
		"source_index int64",
		"params utf8",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("columns\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s.Metadata().FindKey(MetaScale) >= 0 {
		t.Error("scale in the metadata of a pipeline without scales")
	}
}

func TestReadRun(t *testing.T) {
	for name, run := range map[string]*Run{
		"two tasks": testRun(FormEncoded, Tensor{}),
		"no task":   {PlanHash: "ab", Tasks: []Task{}, Counts: [][]int64{}, Variants: []Variant{{Scale: 1}}},
		"scales":    scaled(),
	} {
		s, err := run.Schema(0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadRun(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkRun(t, got, run)
	}
}

// A reader in Python loops over the tasks: without any they are [], not null.
func TestMetadataOfNoTasks(t *testing.T) {
	s, err := (&Run{PlanHash: "ab", Variants: []Variant{{Scale: 1}}}).Schema(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{MetaTasks, MetaCounts} {
		value := s.Metadata().Values()[s.Metadata().FindKey(key)]
		var list []any
		if err := json.Unmarshal([]byte(value), &list); err != nil || list == nil {
			t.Errorf("%s is %s", key, value)
		}
	}
}

func TestReadRunRefuses(t *testing.T) {
	good := map[string]string{MetaPlanHash: "ab", MetaPipeline: "{}", MetaSeed: "7", MetaTasks: "[]", MetaCounts: "[]"}
	for _, c := range []struct{ key, value, want string }{
		{MetaPlanHash, "", "not written by sluice"},
		{MetaSeed, "-1", MetaSeed},
		{MetaSeed, "", MetaSeed},
		{MetaTasks, "{", MetaTasks},
		{MetaTasks, `[{"name":3}]`, MetaTasks},
		{MetaCounts, `[["a"]]`, MetaCounts},
	} {
		values := map[string]string{}
		for k, v := range good {
			values[k] = v
		}
		values[c.key] = c.value
		md := arrow.MetadataFrom(values)
		_, err := ReadRun(arrow.NewSchema(nil, &md))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %q: %v, want %q", c.key, c.value, err, c.want)
		}
	}
	if _, err := ReadRun(arrow.NewSchema(nil, nil)); err == nil {
		t.Error("no error without metadata")
	}
}

func TestFormatScale(t *testing.T) {
	for scale, want := range map[float64]string{0.5: "0.5", 1: "1", 1.5: "1.5", 1.0 / 3: "0.3333333333333333", 2: "2", 10: "10"} {
		if got := FormatScale(scale); got != want {
			t.Errorf("%g: %s, want %s", scale, got, want)
		}
	}
}
