package aws

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/payload"
)

// Bodies that do not fit into an invocation lie in the bucket for as long as the
// invocation lasts. A rule of the bucket's removes what a crash left, and what
// was queued. What else is kept there for a time has a rule too.
const (
	payloadPrefix = "faas-lambda/payloads/"
	// syncURLTime is how long bootstrap may fetch a body: as long as an
	// invocation lasts, and a minute for the clocks.
	syncURLTime = 16 * time.Minute
	// queuedURLTime is that of a queued one, which may be tried for six hours
	// (docs.aws.amazon.com/lambda, "Asynchronous invocation").
	queuedURLTime = 6*time.Hour + syncURLTime
	// discardTime is how long removing one may take.
	discardTime = 10 * time.Second
	// payloadPart is what one upload holds in memory, for each of payloadParts. S3
	// takes no part under 5 MiB but the last (docs.aws.amazon.com/AmazonS3, "Amazon
	// S3 multipart upload limits").
	payloadPart  = payload.MaxParking / payloadParts
	payloadParts = 2
)

// payloadFor returns what an invocation of to sends of r, whose body is parked in the
// bucket, where there is one.
func (b *Backend) payloadFor(ctx context.Context, to target, r *http.Request, queued bool) (*payload.Payload, error) {
	in := payload.Invocation{Queued: queued, Raw: to.adopted, Trace: traceCarrier(ctx)}
	if to.account.wanted != noBucket {
		in.Park = func(ctx context.Context, body io.Reader) (payload.Parked, error) {
			return b.park(ctx, to, body, queued)
		}
	}
	return b.payloads.Make(ctx, r, in)
}

// park uploads a body as it is read, for an invocation that is queued or not. Its
// address is presigned.
func (b *Backend) park(ctx context.Context, to target, body io.Reader, queued bool) (payload.Parked, error) {
	bucket, err := to.account.bucket(ctx)
	if err != nil {
		return payload.Parked{}, err
	}
	b.rules.ensure(ctx, b, to.account, bucket)
	key := payloadPrefix + to.Name.String() + "/" + rand.Text()
	doing := "store the request's body in bucket " + bucket
	source := &reader{in: body}
	manager := transfermanager.New(to.account.s3, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.Concurrency, o.MultipartUploadThreshold = payloadPart, payloadParts, payloadPart
	})
	_, err = manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &bucket, Key: &key, Body: source})
	if source.err != nil {
		return payload.Parked{}, backend.Errorf(backend.ErrInvalid, "read request body: %w", source.err)
	}
	if err != nil {
		return payload.Parked{}, storeError(doing, bucket, err)
	}
	discard := func(ctx context.Context) { b.discard(ctx, to.account, bucket, key) }
	valid := syncURLTime
	if queued {
		valid = queuedURLTime
	}
	signed, err := to.account.clock.Presigner(to.account.s3).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key}, s3.WithPresignExpires(valid))
	if err != nil {
		discard(ctx)
		return payload.Parked{}, awserr.Wrap("sign the address of the request's body", err)
	}
	return payload.Parked{URL: signed.URL, Discard: discard}, nil
}

// reader remembers an error of the request's body, which is the client's.
type reader struct {
	in  io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// storeError is an error of S3: what is wrong with the bucket is the provider's
// configuration, not the request.
func storeError(doing, bucket string, err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "NoSuchBucket" || api.ErrorCode() == "AccessDenied") {
		return fmt.Errorf("%s: %s (%s): check code_bucket, which is %s, and that the provider may s3:PutObject there", doing, api.ErrorMessage(), api.ErrorCode(), bucket)
	}
	return awserr.Wrap(doing, err)
}

// discard removes a body whose invocation is over, also when its client is gone.
func (b *Backend) discard(ctx context.Context, a *account, bucket, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	if _, err := a.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		b.log.Warn("request's body stays in S3 until its rule removes it", "bucket", bucket, "key", key, "error", err)
	}
}

// bucketRules makes sure, once, that the bucket empties itself.
type bucketRules struct {
	mu   sync.Mutex // held while a bucket is looked at
	seen map[string]bool
}

// ensure adds the rules that the bucket lacks. They are a net below discard:
// that it cannot be spread is logged once and fails nothing.
func (r *bucketRules) ensure(ctx context.Context, b *Backend, a *account, bucket string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := a.config.Region + "/" + bucket
	if r.seen[key] {
		return
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[key] = true
	if err := addRules(ctx, a.s3, bucket); err != nil {
		b.log.Warn("bucket has no lifecycle rules for what is kept for a time: remove it by hand", "bucket", bucket, "prefixes", []string{payloadPrefix, codePrefix}, "error", err)
	}
}

// kept says for how many days what lies below a prefix is kept.
var kept = []struct {
	id, prefix string
	days       int32
}{
	{"faas-lambda-payloads", payloadPrefix, 1},
	{"faas-lambda-code", codePrefix, codeDays},
}

func addRules(ctx context.Context, client *s3.Client, bucket string) error {
	current, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
	var api smithy.APIError
	if err != nil && !(errors.As(err, &api) && api.ErrorCode() == "NoSuchLifecycleConfiguration") {
		return awserr.Wrap("read lifecycle of bucket "+bucket, err)
	}
	var rules []s3types.LifecycleRule
	if err == nil {
		rules = current.Rules
	}
	before := len(rules)
	for _, k := range kept {
		if slices.ContainsFunc(rules, func(r s3types.LifecycleRule) bool { return expires(r, k.prefix) }) {
			continue
		}
		rules = append(rules, s3types.LifecycleRule{
			ID: &k.id, Status: s3types.ExpirationStatusEnabled,
			Filter:                         &s3types.LifecycleRuleFilter{Prefix: &k.prefix},
			Expiration:                     &s3types.LifecycleExpiration{Days: &k.days},
			AbortIncompleteMultipartUpload: &s3types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
		})
	}
	if len(rules) == before {
		return nil
	}
	_, err = client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &bucket, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: rules},
	})
	return awserr.Wrap("set lifecycle of bucket "+bucket, err)
}

// expires tells whether a rule removes what lies below prefix.
func expires(r s3types.LifecycleRule, prefix string) bool {
	return r.Status == s3types.ExpirationStatusEnabled && r.Expiration != nil && r.Filter != nil && r.Filter.Prefix != nil && strings.HasPrefix(prefix, *r.Filter.Prefix)
}
