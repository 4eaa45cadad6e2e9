package lambda

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"hash/crc32"
	"testing"
)

// zeroZip packs one file of so many zeros, in megabytes. Deflated blocks of zeros that end at a byte are all alike, so that one is enough.
func zeroZip(t testing.TB, name string, megabytes int) []byte {
	t.Helper()
	zeros := make([]byte, 1_000_000)
	var block, data bytes.Buffer
	deflate, err := flate.NewWriter(&block, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deflate.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := deflate.Flush(); err != nil {
		t.Fatal(err)
	}
	sum := crc32.NewIEEE()
	for range megabytes {
		data.Write(block.Bytes())
		sum.Write(zeros)
	}
	data.Write([]byte{3, 0}) // the last block, which is empty
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Deflate, CRC32: sum.Sum32(), CompressedSize64: uint64(data.Len()), UncompressedSize64: uint64(megabytes) * 1_000_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data.Bytes())
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
