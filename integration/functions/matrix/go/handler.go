// Package function is the Go function of the matrix.
package function

// #include <zlib.h>
// #cgo LDFLAGS: -lz
import "C"

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/aws/aws-lambda-go/events"
)

// Handle answers by path.
func Handle(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/json":
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"language": "go"})
	case "/html":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<p>go</p>")
	case "/png":
		w.Header().Set("Content-Type", "image/png")
		png.Encode(w, image.NewGray(image.Rect(0, 0, 1, 1)))
	case "/echo":
		w.Header().Set("Content-Type", "application/octet-stream")
		io.Copy(w, r.Body)
	case "/native":
		text := []byte("hello")
		sum := C.crc32(0, (*C.Bytef)(unsafe.Pointer(&text[0])), C.uInt(len(text)))
		json.NewEncoder(w).Encode(map[string]any{"crc32": uint32(sum)})
	case "/secret":
		data, err := os.ReadFile(filepath.Join(os.Getenv("secret_mount_path"), "matrix"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.Copy(w, bytes.NewReader(data))
	case "/crash":
		os.Exit(3)
	case "/slow":
		time.Sleep(10 * time.Second)
	}
}

// HandleEvent fails the messages whose body is "bad".
func HandleEvent(_ context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	out := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for _, m := range batch.Records {
		if m.Body == "bad" {
			out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return out, nil
}
