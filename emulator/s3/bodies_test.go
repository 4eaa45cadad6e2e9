package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestChecksumsOfStreamedBodies(t *testing.T) {
	h := start(t, Options{})
	h.bucket("bbb")
	content := strings.Repeat("some content ", 100_000)
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		t.Run(string(algorithm), func(t *testing.T) {
			// Without TLS the SDK sends the checksum in the header; TestChunkedBodies sends it as a trailer.
			_, err := h.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: aws.String("k"), Body: strings.NewReader(content), ChecksumAlgorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := h.get("bbb", "k", ""); body != content {
				t.Errorf("%d bytes", len(body))
			}
		})
	}
}

func TestChunkedBodies(t *testing.T) {
	h := start(t, Options{})
	h.bucket("bbb")
	for name, c := range map[string]struct {
		body, trailer, length string
		status                int
	}{
		"unsigned with a trailer": {"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "x-amz-checksum-crc32", "11", 200},
		"crc64nvme":               {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc64nvme:jSnVw/bqjr4=\r\n\r\n", "x-amz-checksum-crc64nvme", "11", 200},
		"signed":                  {"b;chunk-signature=0\r\nhello world\r\n0;chunk-signature=1\r\n\r\n", "", "11", 200},
		"no last line break":      {"b\r\nhello world\r\n0\r\n", "", "11", 200},
		"wrong checksum":          {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "x-amz-checksum-crc32", "11", 400},
		"wrong length":            {"b\r\nhello world\r\n0\r\n\r\n", "", "12", 400},
		"truncated":               {"b\r\nhello", "", "11", 400},
		"no number":               {"zz\r\nhello", "", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, h.url+"/bbb/"+hashed(name), strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
			r.Header.Set("Content-Encoding", "aws-chunked")
			r.Header.Set("X-Amz-Trailer", c.trailer)
			r.Header.Set("X-Amz-Decoded-Content-Length", c.length)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			answer, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status {
				t.Fatalf("%d %s", res.StatusCode, answer)
			}
			if _, _, err := h.Get("bbb", hashed(name), ""); (err == nil) != (c.status == 200) {
				t.Error(err)
			}
			if c.status == 200 {
				if body, out := h.get("bbb", hashed(name), ""); body != "hello world" || out.ContentEncoding != nil {
					t.Errorf("%q %+v", body, out)
				}
			}
		})
	}
}

func TestMultipartUpload(t *testing.T) {
	h := start(t, Options{})
	h.bucket("bbb")
	ctx, bucket, key := t.Context(), aws.String("bbb"), aws.String("large")
	begun, err := h.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: "CRC32", ContentType: aws.String("a/b")})
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.Repeat([]byte("a"), minPart)
	var parts []types.CompletedPart
	for i, data := range [][]byte{first, []byte("end")} {
		number := int32(i + 1)
		out, err := h.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: begun.UploadId, PartNumber: &number, Body: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: &number, ETag: out.ETag})
	}
	list, err := h.client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: begun.UploadId})
	if err != nil || len(list.Parts) != 2 {
		t.Errorf("%+v %v", list, err)
	}
	complete := func(parts ...types.CompletedPart) error {
		_, err := h.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		return err
	}
	wantCode(t, complete(parts[1], parts[0]), "EntityTooSmall")
	wantCode(t, complete(parts[0], parts[0]), "InvalidPartOrder")
	wantCode(t, complete(types.CompletedPart{PartNumber: aws.Int32(9), ETag: aws.String("x")}), "InvalidPart")
	if err := complete(parts...); err != nil {
		t.Fatal(err)
	}
	if body, out := h.get("bbb", "large", ""); body != string(first)+"end" || !strings.HasSuffix(*out.ETag, `-2"`) || *out.ContentType != "a/b" {
		t.Errorf("%d bytes, %+v", len(body), out)
	}
	wantCode(t, complete(parts...), "NoSuchUpload")
	begun, err = h.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: begun.UploadId}); err != nil {
		t.Error(err)
	}
}

func TestPartsThatBreakOffLeaveNothing(t *testing.T) {
	h := start(t, Options{})
	h.bucket("bbb")
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, h.url+"/bbb/k", in)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	if _, err := out.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	cancel()
	// The client may wait for a reading of the body that has begun.
	out.CloseWithError(context.Canceled)
	if err := <-done; err == nil {
		t.Error("a body that broke off was taken")
	}
	if _, _, err := h.Get("bbb", "k", ""); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"))
	f.Add([]byte("5;chunk-signature=0\r\nhello\r\n0;chunk-signature=1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := io.ReadAll(newChunkReader(bytes.NewReader(data)))
		if len(out) > len(data) {
			t.Errorf("%d bytes out of %d, %v", len(out), len(data), err)
		}
	})
}
