package sinks_test

import (
	"testing"

	"github.com/sluicedata/sluice/sinks"
)

func TestLockAlone(t *testing.T) {
	dir := t.TempDir()
	release, err := sinks.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sinks.Lock(dir); err == nil {
		t.Error("locked twice")
	} else {
		wantError(t, err, "another process is writing to "+dir)
	}
	release()
	again, err := sinks.Lock(dir)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again()
}
