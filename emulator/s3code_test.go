package emulator

import (
	"bytes"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// bucket is an S3 of one bucket, b.
type bucket map[string][]byte

func (b bucket) Open(name, key, version string) (io.ReadCloser, int64, error) {
	data, ok := b[key]
	switch {
	case name != "b":
		return nil, 0, errNoBucket
	case !ok:
		return nil, 0, errNoKey
	case version != "":
		return nil, 0, errNoVersion
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

func TestCodeFromS3(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.hooks.objects = bucket{"code.zip": packed(), "empty": nil, "bad": []byte("no zip")}
	for _, test := range []struct{ name, bucket, key, version, message string }{
		{"bucket", "other", "code.zip", "", "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"},
		{"key", "b", "other", "", "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."},
		{"version", "b", "code.zip", "v", "S3 Error Code: NoSuchVersion."},
		{"empty", "b", "empty", "", "Uploaded file must be a non-empty zip"},
		{"no zip", "b", "bad", "", "Could not unzip uploaded file."},
		{"good", "b", "code.zip", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := createInput("f", nil)
			in.Code = &types.FunctionCode{S3Bucket: &test.bucket, S3Key: &test.key}
			if test.version != "" {
				in.Code.S3ObjectVersion = aws.String(test.version)
			}
			_, err := h.client.CreateFunction(t.Context(), in)
			if test.message != "" {
				wantError(t, err, "InvalidParameterValueException", test.message)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h.active("f")
			h.invoke("f", "{}")
		})
	}
}
