package emulator

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestMain(m *testing.M) {
	Init()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if code, child := runChild(); child {
		return code
	}
	if err := lambdatest.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// harness is an emulator on loopback with a client.
type harness struct {
	*Server
	*lambdatest.Client
	t    testing.TB
	http *httptest.Server
}

func start(t testing.TB, opts Options) *harness {
	t.Helper()
	h := &harness{t: t, http: httptest.NewUnstartedServer(nil)}
	h.Client = lambdatest.New(t, "http://"+h.http.Listener.Addr().String())
	opts.LogOutput = h.Log
	server, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.Server, h.http.Config.Handler = server, server
	h.http.Start()
	t.Cleanup(h.stop)
	h.upload(lambdatest.Bucket, lambdatest.Object, lambdatest.Packed())
	return h
}

func (h *harness) stop() {
	if err := h.Server.Close(); err != nil {
		h.t.Error(err)
	}
	h.http.Close()
}

func (h *harness) s3() *s3.Client {
	return s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &h.http.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

// upload makes an object and, if need be, its bucket.
func (h *harness) upload(bucket, key string, data []byte) {
	h.t.Helper()
	_, err := h.s3().CreateBucket(h.t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
	if err == nil {
		_, err = h.s3().PutObject(h.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
