package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/faas-lambda/faas-lambda/bootstrap/launch"
	"github.com/faas-lambda/faas-lambda/layers"
)

func TestLayerMakesAFunctionOfAnImage(t *testing.T) {
	p := packageOf(nil)
	p.Root, p.Start.Dir = "/", "/home/app"
	added := []layers.Entry{
		{Path: "home/app", Type: layers.Dir, Mode: 0o755},
		{Path: "home/app/key", Type: layers.File, Mode: 0o444, Size: 3, Content: content("key")},
		{Path: "home/link", Type: layers.Symlink, Link: "app"},
	}
	var first, second bytes.Buffer
	layer, err := WriteLayer(t.Context(), &first, p, added)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := WriteLayer(t.Context(), &second, p, added); err != nil || again != layer || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("written again it is another: %v", err)
	}
	sum := sha256.Sum256(first.Bytes())
	if layer.Digest != "sha256:"+hex.EncodeToString(sum[:]) || layer.Size != int64(first.Len()) {
		t.Errorf("%+v is not of %d bytes with %x", layer, first.Len(), sum)
	}
	unpacked, err := gzip.NewReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if diff := sha256.Sum256(data); layer.DiffID != "sha256:"+hex.EncodeToString(diff[:]) {
		t.Errorf("diff id %s of %x", layer.DiffID, diff)
	}
	var got []string
	archive := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "var/task/"+launch.File {
			spec, err := launch.Parse(text)
			if err != nil || spec.Root != "/" || spec.Dir != "/home/app" {
				t.Errorf("launch.json: %+v, %v", spec, err)
			}
			text = nil
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name+h.Linkname+" "+string(text))
	}
	want := []string{
		"drwxr-xr-x home/app/ ", "-r--r--r-- home/app/key key", "Lrwxrwxrwx home/linkapp ",
		"-rwxr-xr-x var/task/bootstrap program", "-rw-r--r-- var/task/.faas-lambda/launch.json ",
		"Lrwxrwxrwx var/openfaas/secrets/tmp/.faas-lambda/secrets ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLayerWhoseContentIsLostFails(t *testing.T) {
	p := packageOf(nil)
	p.Root = "/"
	lost := []layers.Entry{{Path: "f", Type: layers.File, Mode: 0o644, Size: 1, Content: failing{}}}
	if _, err := WriteLayer(t.Context(), io.Discard, p, lost); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
	if _, err := WriteLayer(t.Context(), full{}, p, nil); !errors.Is(err, errBroken) {
		t.Errorf("disk full: %v", err)
	}
}
