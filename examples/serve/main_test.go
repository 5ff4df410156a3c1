package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestSameAsBatches: whoever uploads a file gets the bytes that the file has in a batch.
func TestSameAsBatches(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, 5); err != nil {
		t.Fatal(err)
	}
	pipe := evaluation(dir)
	plan, err := pipe.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	server := httptest.NewServer(handler(plan))
	defer server.Close()

	images := 0
	var wait sync.WaitGroup
	for batch, err := range pipe.Batches(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		size := batch.Tensor.Elements()
		for row := range batch.Rows() {
			images++
			key, want := batch.Key(row), slices.Clone(batch.Float32()[row*size:][:size])
			wait.Go(func() { // all at once: one plan serves them
				file, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(key)))
				if err != nil {
					t.Error(err)
					return
				}
				header, body := post(t, server.URL, file, http.StatusOK)
				have := make([]float32, len(body)/4)
				if err := binary.Read(bytes.NewReader(body), binary.LittleEndian, have); err != nil {
					t.Error(err)
				}
				if !slices.Equal(have, want) || header.Get("Tensor") != "float32[3,32,32]" {
					t.Errorf("%s: %s that is not the batch's", key, header.Get("Tensor"))
				}
			})
		}
	}
	wait.Wait()
	if images != 10 {
		t.Errorf("%d images", images)
	}
}

// TestRefused: what isn't an image, and what is too large, is the client's mistake.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	if err := draw(dir, 1); err != nil {
		t.Fatal(err)
	}
	plan, err := evaluation(dir).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	server := httptest.NewServer(handler(plan))
	defer server.Close()

	if _, body := post(t, server.URL, []byte("hello"), http.StatusUnprocessableEntity); !strings.Contains(string(body), "upload") {
		t.Errorf("the error doesn't name the image: %s", body)
	}
	post(t, server.URL, nil, http.StatusUnprocessableEntity)
	post(t, server.URL, make([]byte, maxUpload+1), http.StatusRequestEntityTooLarge)
}

func post(t *testing.T, url string, file []byte, status int) (http.Header, []byte) {
	t.Helper()
	r, err := http.Post(url+"/tensor", "application/octet-stream", bytes.NewReader(file))
	if err != nil {
		t.Error(err)
		return http.Header{}, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status {
		t.Errorf("status %d, want %d: %s %v", r.StatusCode, status, body, err)
	}
	return r.Header, body
}
