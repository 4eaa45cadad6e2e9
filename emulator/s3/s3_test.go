package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestPresigned(t *testing.T) {
	now := time.Now()
	var clock sync.Mutex
	h := start(t, Options{Now: func() time.Time { clock.Lock(); defer clock.Unlock(); return now }})
	h.bucket("bbb")
	signer := s3.NewPresignClient(h.client)
	put, err := signer.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: aws.String("a/k")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if status, said := send(t, http.MethodPut, put.URL, "content"); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	get, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bbb"), Key: aws.String("a/k")}, s3.WithPresignExpires(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if status, said := send(t, http.MethodGet, get.URL, ""); status != 200 || said != "content" {
		t.Errorf("%d %s", status, said)
	}
	unsigned := strings.Replace(get.URL, "X-Amz-Signature=", "X-Amz-Nothing=", 1)
	if status, said := send(t, http.MethodGet, unsigned, ""); status != 400 || !strings.Contains(said, "AuthorizationQueryParametersError") {
		t.Errorf("%d %s", status, said)
	}
	clock.Lock()
	now = now.Add(2 * time.Minute)
	clock.Unlock()
	if status, said := send(t, http.MethodGet, get.URL, ""); status != 403 || !strings.Contains(said, "Request has expired") {
		t.Errorf("%d %s", status, said)
	}
}

func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// elsewhere sends every request to one address, whatever host it names.
type elsewhere string

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Host = r.URL.Host, strings.TrimPrefix(string(e), "http://")
	return http.DefaultTransport.RoundTrip(r)
}

func TestVirtualHosts(t *testing.T) {
	h := start(t, Options{})
	for _, endpoint := range []string{"http://localhost:4566", "http://s3.us-east-1.amazonaws.com", "http://aws.internal:4566"} {
		t.Run(endpoint, func(t *testing.T) {
			client := clientFor(endpoint, "us-east-1", elsewhere(h.url))
			h.bucket("virtual") // the last endpoint is known by its buckets only
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("virtual"), Key: aws.String("a/b"), Body: strings.NewReader(endpoint)}); err != nil {
				t.Fatal(err)
			}
			if body, _ := h.get("virtual", "a/b", ""); body != endpoint {
				t.Errorf("%q", body)
			}
		})
	}
}

func TestConfigurations(t *testing.T) {
	type event struct{ to, document string }
	events := make(chan event, 10)
	h := start(t, Options{
		Notify: func(_, to string, document []byte) { events <- event{to, string(document)} },
		Takes:  func(bucket, to string) bool { return bucket == "bbb" && !strings.HasSuffix(to, ":closed") },
	})
	h.bucket("bbb")
	ctx, bucket := t.Context(), aws.String("bbb")
	_, err := h.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
	wantCode(t, err, "NoSuchLifecycleConfiguration")
	_, err = h.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{
		Rules: []types.LifecycleRule{{ID: aws.String("old"), Status: "Enabled", Filter: &types.LifecycleRuleFilter{Prefix: aws.String("x")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := h.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
	if err != nil || *rules.Rules[0].Expiration.Days != 1 {
		t.Errorf("%+v %v", rules, err)
	}
	function := "arn:aws:lambda:us-east-1:000000000000:function:f"
	_, err = h.client.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: bucket, NotificationConfiguration: &types.NotificationConfiguration{
		LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{LambdaFunctionArn: &function, Events: []types.Event{"s3:ObjectCreated:*"},
			Filter: &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: []types.FilterRule{{Name: "suffix", Value: aws.String(".txt")}}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	closed := &s3.PutBucketNotificationConfigurationInput{Bucket: bucket, NotificationConfiguration: &types.NotificationConfiguration{
		LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{LambdaFunctionArn: aws.String(function + ":closed"), Events: []types.Event{"s3:ObjectCreated:*"}}}}}
	_, err = h.client.PutBucketNotificationConfiguration(ctx, closed)
	wantCode(t, err, "InvalidArgument")
	got, err := h.client.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: bucket})
	if err != nil || len(got.LambdaFunctionConfigurations) != 1 || *got.LambdaFunctionConfigurations[0].LambdaFunctionArn != function {
		t.Errorf("%+v %v", got, err)
	}
	h.put("bbb", "a.jpg", "x")
	h.put("bbb", "in/a b.txt", "x")
	if e := <-events; e.to != function || !strings.Contains(e.document, `"key":"in/a+b.txt"`) || !strings.Contains(e.document, `"eventName":"ObjectCreated:Put"`) {
		t.Errorf("%+v", e)
	}
	if _, err := h.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("in/a b.txt")}); err != nil {
		t.Fatal(err)
	}
	if len(events) > 0 {
		t.Errorf("an event nobody asked for: %+v", <-events)
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

func FuzzNotification(f *testing.F) {
	f.Add([]byte(`<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>arn:x</CloudFunction><Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration></NotificationConfiguration>`), "k")
	f.Fuzz(func(t *testing.T, document []byte, key string) {
		n, err := parseNotification(document)
		if err != nil {
			return
		}
		for _, d := range n.all() {
			d.wants("ObjectCreated:Put", key)
		}
	})
}
