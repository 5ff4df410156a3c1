// Command serve answers an uploaded image with the tensor that a training batch would
// hold of it: the evaluation pipeline that the network was judged by is its
// preprocessing, so there is no second one to keep in step. It draws its training
// images itself.
//
//	go run . -addr :8080
//	curl --data-binary @photo.jpg localhost:8080/tensor > photo.f32
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sluicedata/sluice/flow"
	"github.com/sluicedata/sluice/sources"
	"github.com/sluicedata/sluice/stages"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "where to listen")
	flag.Parse()
	if err := serve(context.Background(), *addr); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, addr string) error {
	dir, err := os.MkdirTemp("", "serve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := draw(dir, 4); err != nil {
		return err
	}
	plan, err := evaluation(dir).Plan(ctx)
	if err != nil {
		return err
	}
	defer plan.Close()
	fmt.Printf("POST an image to http://%s/tensor; it answers with %s\n", addr, plan.Info().Variants[0].Tensor)
	return http.ListenAndServe(addr, handler(plan))
}

// evaluation is the pipeline of the held-out images: nothing in it is random.
func evaluation(dir string) *flow.Pipeline {
	return flow.New(sources.Folder{Path: dir},
		stages.Decode{Limit: 50e6}, // pixels: uploads are not to be trusted
		stages.Resize{Size: 40}, stages.CenterCrop{Size: 32},
		stages.ToTensor{}, stages.Normalize{Mean: stages.ImageNetMean, Std: stages.ImageNetStd},
		stages.Batch{Size: 8},
	)
}

// maxUpload is the largest file that is taken, in bytes.
const maxUpload = 20 << 20

// handler serves POST /tensor. The body is an image file of any kind that the decoder
// knows; the answer is the tensor's float32 values, little-endian, and its type in a
// header. A plan is safe for concurrent use, so one serves all requests.
func handler(plan *flow.Plan) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tensor", func(w http.ResponseWriter, r *http.Request) {
		file, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
		if err != nil {
			status := http.StatusBadRequest
			if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
				status = http.StatusRequestEntityTooLarge
			}
			http.Error(w, err.Error(), status)
			return
		}
		batch, err := plan.Apply(r.Context(), file, flow.Draw{Key: "upload"})
		if err != nil { // which says what is wrong with the image
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		defer batch.Release()
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Tensor", batch.Tensor.String()) // float32[3,32,32]
		if err := binary.Write(w, binary.LittleEndian, batch.Float32()); err != nil {
			log.Print(err) // the client has gone
		}
	})
	return mux
}

// draw writes n images of each of two classes.
func draw(dir string, n int) error {
	for class, step := range map[string]int{"fine": 3, "coarse": 11} {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
		for i := range n {
			img := image.NewGray(image.Rect(0, 0, 60, 45))
			for p := range img.Pix {
				img.Pix[p] = uint8((p%60/step + p/60/step) % 2 * (100 + i))
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%03d.png", i)))
			if err != nil {
				return err
			}
			if err := png.Encode(f, img); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
