package lambda

import (
	"bytes"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

// bucket is an S3 of the one bucket.
type bucket map[string][]byte

func (b bucket) Open(name, key, version string) (io.ReadCloser, int64, error) {
	data, ok := b[key]
	switch {
	case name != lambdatest.Bucket:
		return nil, 0, ErrNoBucket
	case !ok:
		return nil, 0, ErrNoKey
	case version != "":
		return nil, 0, ErrNoVersion
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

func TestCodeFromS3(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.services.Objects = bucket{"code.zip": lambdatest.Packed(), "empty": nil, "bad": []byte("no zip")}
	for _, test := range []struct{ name, bucket, key, version, message string }{
		{"bucket", "other", "code.zip", "", "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"},
		{"key", lambdatest.Bucket, "other", "", "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."},
		{"version", lambdatest.Bucket, "code.zip", "v", "S3 Error Code: NoSuchVersion."},
		{"empty", lambdatest.Bucket, "empty", "", "Uploaded file must be a non-empty zip"},
		{"no zip", lambdatest.Bucket, "bad", "", "Could not unzip uploaded file."},
		{"good", lambdatest.Bucket, "code.zip", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := lambdatest.CreateInput("f", nil)
			in.Code = &types.FunctionCode{S3Bucket: &test.bucket, S3Key: &test.key}
			if test.version != "" {
				in.Code.S3ObjectVersion = aws.String(test.version)
			}
			_, err := h.Lambda.CreateFunction(t.Context(), in)
			if test.message != "" {
				lambdatest.WantError(t, err, "InvalidParameterValueException", test.message)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h.Active("f")
			h.Invoke("f", "{}")
		})
	}
}
