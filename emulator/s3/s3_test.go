package s3

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// harness is a store on loopback with a client.
type harness struct {
	*Store
	t      *testing.T
	url    string
	client *s3.Client
}

func start(t *testing.T, opts Options) *harness {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	store, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	return &harness{Store: store, t: t, url: server.URL, client: clientFor(server.URL, "us-east-1", nil)}
}

func clientFor(url, region string, transport http.RoundTripper) *s3.Client {
	o := s3.Options{Region: region, BaseEndpoint: aws.String(url), UsePathStyle: transport == nil,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, // as with a configuration that is loaded
		Credentials:                credentials.NewStaticCredentialsProvider("id", "secret", "")}
	if transport != nil {
		o.HTTPClient = &http.Client{Transport: transport}
	}
	return s3.New(o)
}

func (h *harness) bucket(name string) {
	h.t.Helper()
	if _, err := h.client.CreateBucket(h.t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) put(bucket, key, content string) {
	h.t.Helper()
	if _, err := h.client.PutObject(h.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(content)}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) get(bucket, key, span string) (string, *s3.GetObjectOutput) {
	h.t.Helper()
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}
	if span != "" {
		in.Range = &span
	}
	out, err := h.client.GetObject(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data), out
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}

func TestBuckets(t *testing.T) {
	h := start(t, Options{})
	ctx := t.Context()
	h.bucket("first-bucket")
	h.bucket("first-bucket") // in us-east-1 that succeeds
	west := clientFor(h.url, "eu-west-1", nil)
	make := &s3.CreateBucketInput{Bucket: aws.String("western"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}
	if _, err := west.CreateBucket(ctx, make); err != nil {
		t.Fatal(err)
	}
	_, err := west.CreateBucket(ctx, make)
	wantCode(t, err, "BucketAlreadyOwnedByYou")
	_, err = h.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("No_Bucket")})
	wantCode(t, err, "InvalidBucketName")
	where, err := h.client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("western")})
	if err != nil || where.LocationConstraint != "eu-west-1" {
		t.Errorf("%+v, %v", where, err)
	}
	if _, err := h.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("western")}); err != nil {
		t.Error(err)
	}
	_, err = h.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("nowhere")})
	wantCode(t, err, "NotFound")
	list, err := h.client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 2 || *list.Buckets[1].Name != "western" {
		t.Errorf("%+v, %v", list, err)
	}
	h.put("western", "k", "v")
	_, err = h.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("western")})
	wantCode(t, err, "BucketNotEmpty")
	if _, err := h.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("first-bucket")}); err != nil {
		t.Error(err)
	}
}

func TestObjects(t *testing.T) {
	h := start(t, Options{})
	h.bucket("bbb")
	ctx := t.Context()
	key := "dir/a key+with ünï%2Fcode"
	_, err := h.client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: &key, Body: strings.NewReader("0123456789"),
		ContentType: aws.String("text/plain"), ContentEncoding: aws.String("gzip"), Metadata: map[string]string{"made": "here"}, Tagging: aws.String("a=b")})
	if err != nil {
		t.Fatal(err)
	}
	body, out := h.get("bbb", key, "")
	if body != "0123456789" || *out.ContentType != "text/plain" || *out.ContentEncoding != "gzip" || out.Metadata["made"] != "here" ||
		*out.ETag != `"781e5e245d69b566979b86e28d23f2c7"` || aws.ToString(out.ChecksumCRC32) == "" {
		t.Errorf("%q %+v", body, out)
	}
	if body, out := h.get("bbb", key, "bytes=2-4"); body != "234" || *out.ContentRange != "bytes 2-4/10" {
		t.Errorf("%q %+v", body, out)
	}
	if body, _ := h.get("bbb", key, "bytes=-3"); body != "789" {
		t.Errorf("%q", body)
	}
	_, err = h.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bbb"), Key: &key, Range: aws.String("bytes=10-")})
	wantCode(t, err, "InvalidRange")
	head, err := h.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("bbb"), Key: &key})
	if err != nil || *head.ContentLength != 10 {
		t.Errorf("%+v %v", head, err)
	}
	tags, err := h.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String("bbb"), Key: &key})
	if err != nil || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "b" {
		t.Errorf("%+v %v", tags, err)
	}
	if _, err := h.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("bbb"), Key: aws.String("copy"), CopySource: aws.String("bbb/" + "dir/a%20key%2Bwith%20%C3%BCn%C3%AF%252Fcode")}); err != nil {
		t.Fatal(err)
	}
	if body, out := h.get("bbb", "copy", ""); body != "0123456789" || out.Metadata["made"] != "here" {
		t.Errorf("%q %+v", body, out)
	}
	_, err = h.client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: &key, Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
	wantCode(t, err, "PreconditionFailed")
	deleted, err := h.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("bbb"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key}, {Key: aws.String("never")}}}})
	if err != nil || len(deleted.Deleted) != 2 {
		t.Errorf("%+v %v", deleted, err)
	}
	if _, err := h.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bbb"), Key: aws.String("copy")}); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct{ bucket, key, code string }{"key": {"bbb", "copy", "NoSuchKey"}, "bucket": {"ccc", "copy", "NoSuchBucket"}} {
		_, err := h.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &c.key})
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
	}
}

func TestListing(t *testing.T) {
	h := start(t, Options{})
	h.bucket("bbb")
	for _, key := range []string{"a/1", "a/2", "b", "c/x/1", "c/y", "d & <e>"} {
		h.put("bbb", key, key)
	}
	for name, c := range map[string]struct {
		in    s3.ListObjectsV2Input
		wants string
	}{
		"all":       {s3.ListObjectsV2Input{}, "a/1 a/2 b c/x/1 c/y d & <e>"},
		"prefix":    {s3.ListObjectsV2Input{Prefix: aws.String("c/")}, "c/x/1 c/y"},
		"delimiter": {s3.ListObjectsV2Input{Delimiter: aws.String("/")}, "b d & <e> [a/] [c/]"},
		"both":      {s3.ListObjectsV2Input{Prefix: aws.String("c/"), Delimiter: aws.String("/")}, "c/y [c/x/]"},
		"after":     {s3.ListObjectsV2Input{StartAfter: aws.String("b")}, "c/x/1 c/y d & <e>"},
	} {
		for _, size := range []int32{1, 2, 1000} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				c.in.Bucket, c.in.MaxKeys = aws.String("bbb"), &size
				var keys, groups []string
				for pages := s3.NewListObjectsV2Paginator(h.client, &c.in); pages.HasMorePages(); {
					page, err := pages.NextPage(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range page.Contents {
						keys = append(keys, *o.Key)
					}
					for _, p := range page.CommonPrefixes {
						groups = append(groups, "["+*p.Prefix+"]")
					}
				}
				if got := strings.Join(append(keys, groups...), " "); got != c.wants {
					t.Errorf("%s, want %s", got, c.wants)
				}
			})
		}
	}
}

func TestObjectsOutliveTheProgram(t *testing.T) {
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	h.bucket("bbb")
	h.put("bbb", "k", "first")
	h.put("bbb", "k", "second")
	if _, err := h.client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("bbb"), Key: aws.String("m")}); err != nil {
		t.Fatal(err)
	}
	again := start(t, Options{Dir: dir})
	if body, _ := again.get("bbb", "k", ""); body != "second" {
		t.Errorf("%q", body)
	}
	if err := again.Put("bbb", "own", strings.NewReader("mine"), nil); err != nil {
		t.Fatal(err)
	}
	object, size, err := again.Get("bbb", "own", "null")
	if err != nil || size != 4 {
		t.Fatal(size, err)
	}
	object.Close()
	if _, _, err := again.Get("bbb", "own", "v1"); !errors.Is(err, ErrNoVersion) {
		t.Error(err)
	}
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-4", int64(10))
	f.Add("bytes=-18446744073709551615", int64(10))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		start, count, err := parseRange(header, size)
		if err == nil && count >= 0 && (count == 0 || start < 0 || start+count > size) {
			t.Errorf("%q of %d: %d bytes from %d", header, size, count, start)
		}
	})
}
