package s3

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// request is one request with what it addresses.
type request struct {
	*http.Request
	bucket string // "" for the service itself
	key    string // "" for a bucket
}

// addressed reads bucket and key from a request by path or by virtual host.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func (s *Store) addressed(r *http.Request) request {
	path := strings.TrimPrefix(r.URL.Path, "/")
	if bucket := s.virtualHost(r.Host); bucket != "" {
		return request{Request: r, bucket: bucket, key: path}
	}
	bucket, key, _ := strings.Cut(path, "/")
	return request{Request: r, bucket: bucket, key: key}
}

// virtualHost is the bucket that stands before the endpoint's own name, or "".
func (s *Store) virtualHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if net.ParseIP(host) != nil {
		return ""
	}
	for _, endpoint := range []string{".s3.", ".s3-", ".localhost"} {
		if i := strings.LastIndex(host, endpoint); i > 0 {
			return host[:i]
		}
	}
	if first, _, ok := strings.Cut(host, "."); ok && s.has(first) == nil {
		return first
	}
	return ""
}

// call answers one operation.
type call func(s *Store, w http.ResponseWriter, r request) error

var calls = map[string]call{
	"ListBuckets":             (*Store).listBuckets,
	"CreateBucket":            (*Store).createBucket,
	"HeadBucket":              (*Store).headBucket,
	"DeleteBucket":            (*Store).deleteBucket,
	"GetBucketLocation":       (*Store).getLocation,
	"ListObjects":             (*Store).listObjects,
	"ListObjectsV2":           (*Store).listObjects,
	"DeleteObjects":           (*Store).deleteObjects,
	"PutObject":               (*Store).putObject,
	"CopyObject":              (*Store).copyObject,
	"GetObject":               (*Store).getObject,
	"HeadObject":              (*Store).getObject,
	"DeleteObject":            (*Store).deleteObject,
	"PutObjectTagging":        (*Store).putObjectTagging,
	"GetObjectTagging":        (*Store).getObjectTagging,
	"DeleteObjectTagging":     (*Store).deleteObjectTagging,
	"CreateMultipartUpload":   (*Store).createUpload,
	"UploadPart":              (*Store).uploadPart,
	"CompleteMultipartUpload": (*Store).completeUpload,
	"AbortMultipartUpload":    (*Store).abortUpload,
	"ListParts":               (*Store).listParts,
	"ListMultipartUploads":    (*Store).listUploads,
}

// Operation is the name of the operation that a request calls, such as PutObject.
func (s *Store) Operation(r *http.Request) string { return operation(s.addressed(r)) }

func operation(r request) string {
	query := r.URL.Query()
	switch {
	case r.bucket == "":
		return map[string]string{http.MethodGet: "ListBuckets"}[r.Method]
	case r.key == "":
		return bucketOperation(r, query)
	}
	switch {
	case query.Has("tagging"):
		return verb(r.Method) + "ObjectTagging"
	case query.Has("uploads"):
		return "CreateMultipartUpload"
	case query.Has("uploadId"):
		return map[string]string{http.MethodPut: "UploadPart", http.MethodPost: "CompleteMultipartUpload",
			http.MethodDelete: "AbortMultipartUpload", http.MethodGet: "ListParts"}[r.Method]
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "CopyObject"
	case r.Method == http.MethodPost:
		return ""
	}
	return verb(r.Method) + "Object"
}

func bucketOperation(r request, query map[string][]string) string {
	has := func(name string) bool { _, ok := query[name]; return ok }
	for _, c := range configs {
		if has(c.query) {
			return verb(r.Method) + c.name
		}
	}
	switch {
	case has("location"):
		return "GetBucketLocation"
	case has("uploads"):
		return "ListMultipartUploads"
	case has("delete") && r.Method == http.MethodPost:
		return "DeleteObjects"
	case r.Method == http.MethodPut:
		return "CreateBucket"
	case r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "2":
		return "ListObjectsV2"
	case r.Method == http.MethodGet:
		return "ListObjects"
	case r.Method == http.MethodPost:
		return ""
	}
	return verb(r.Method) + "Bucket"
}

func verb(method string) string {
	return map[string]string{http.MethodGet: "Get", http.MethodPut: "Put", http.MethodDelete: "Delete", http.MethodHead: "Head", http.MethodPost: "Post"}[method]
}

// ServeHTTP answers a request of S3. Signatures are not verified, but presigned requests must have one and not have expired.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newID()
	w.Header().Set("x-amz-request-id", id)
	q := s.addressed(r)
	err := s.admit(r)
	if err == nil {
		err = s.serve(w, q)
	}
	if err == nil {
		return
	}
	Fail(w, r, asFailure(err, q.bucket, q.key))
}

func (s *Store) serve(w http.ResponseWriter, r request) error {
	name := operation(r)
	if handle := calls[name]; handle != nil {
		return handle(s, w, r)
	}
	for _, c := range configs {
		if strings.HasSuffix(name, c.name) && r.key == "" {
			return s.configure(w, r, c)
		}
	}
	return refuse(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
}

// Refuse answers with an error of a code, as for a request that no operation was to see.
func Refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	Fail(w, r, refuse(status, code, message))
}

// Fail answers with an error.
func Fail(w http.ResponseWriter, r *http.Request, f *failure) {
	f.Resource, f.RequestId = r.URL.Path, w.Header().Get("x-amz-request-id")
	if r.Method == http.MethodHead { // no body tells the code: SDKs go by the status
		w.WriteHeader(f.Status)
		return
	}
	writeXML(w, f.Status, f)
}

func writeXML(w http.ResponseWriter, status int, v any) {
	data, err := xml.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte("<Error><Code>InternalError</Code></Error>")
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append([]byte(xml.Header), data...)) // the client is gone
}

// readXML reads a request's document.
func readXML(r request, into any) error {
	b := newBody(r.Request)
	data, err := readAll(b)
	if err != nil {
		return err
	}
	if xml.Unmarshal(data, into) != nil {
		return malformedXML()
	}
	return nil
}

// admit refuses presigned requests that lack their signature or have expired.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (s *Store) admit(r *http.Request) error {
	if !strings.Contains(r.URL.RawQuery, "X-Amz-") {
		return nil
	}
	query := r.URL.Query()
	if !query.Has("X-Amz-Algorithm") && !query.Has("X-Amz-Credential") {
		return nil
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
		if query.Get(name) == "" {
			return refuse(http.StatusBadRequest, "AuthorizationQueryParametersError", "Query-string authentication version 4 requires the "+
				"X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	signed, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil {
		return refuse(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	const week = 7 * 24 * 60 * 60
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires should be a number")
	case seconds < 0:
		return refuse(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be non-negative")
	case seconds > week:
		return refuse(http.StatusBadRequest, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds) that is 604800")
	case s.opts.Now().After(signed.Add(time.Duration(seconds) * time.Second)):
		return refuse(http.StatusForbidden, "AccessDenied", "Request has expired")
	}
	return nil
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

func decimal[N int | int64](n N) string { return strconv.FormatInt(int64(n), 10) }
