package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// documents remembers documents by what their tags say of them, which changes
// with them: unpacking a thousand of them takes longer than everything else that
// a list does, and those in S3 would be a call each.
type documents struct {
	mu    sync.Mutex          // guards known
	known map[string]document // shared: never changed
}

func (m *documents) get(key string) (document, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.known[key]
	return d, ok
}

func (m *documents) keep(key string, d document) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) > maxCached {
		m.known = map[string]document{}
	}
	m.known[key] = d
}

// readDocument returns the document that a function's tags hold or name.
func (a *account) readDocument(ctx context.Context, function string, tags map[string]string) (document, error) {
	key := function + " " + tags[tagRecord] + " " + tags[piece(0)]
	d, ok := a.documents.get(key)
	if !ok {
		var err error
		if hash, far := inS3(tags); far {
			d, err = a.fetchDocument(ctx, function, hash)
		} else {
			d, err = fromTags(tags)
		}
		if err != nil {
			return document{}, err
		}
		a.documents.keep(key, d)
	}
	d.Service, d.Namespace = tags[tagService], tags[tagNamespace]
	return d, nil
}

// writeDocument returns the tags of a document, having put into S3 what does not
// fit, and the document as it is written: rather than that it forgets
// deployments, but for the latest and the one that serves.
func (a *account) writeDocument(ctx context.Context, function string, d document) (document, map[string]string, error) {
	text, err := d.pack()
	for err == nil && !fits(text) {
		last := -1
		for i := 1; i < len(d.Records); i++ {
			if d.Records[i].Digest != d.Current {
				last = i
			}
		}
		if last < 0 {
			break
		}
		d.Records = slices.Delete(slices.Clone(d.Records), last, last+1)
		text, err = d.pack()
	}
	if err != nil {
		return d, nil, err
	}
	if fits(text) {
		return d, d.inTags(text), nil
	}
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	bucket, err := a.bucket(ctx)
	if err != nil {
		return d, nil, fmt.Errorf("record function %s: what is deployed takes %d characters compressed, Lambda's tags hold %d: %w", d.Service, len(text), maxPieces*maxTagValue, err)
	}
	_, err = a.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(recordKey(function, hash)), Body: strings.NewReader(text)})
	if err != nil {
		return d, nil, awserr.Wrap("record function "+d.Service, err)
	}
	tags := d.names()
	tags[tagRecord] = "2:s3:" + hash
	return d, tags, nil
}

// recordKey is where a document lies. The name of a function has no slash.
func recordKey(function, hash string) string { return "records/" + function + "/" + hash }

func (a *account) fetchDocument(ctx context.Context, function, hash string) (document, error) {
	bucket, err := a.bucket(ctx)
	if err != nil {
		return document{}, fmt.Errorf("read record of function %s: %w", function, err)
	}
	out, err := a.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(recordKey(function, hash))})
	var gone *s3types.NoSuchKey
	if errors.As(err, &gone) {
		return document{}, fmt.Errorf("%w: %s in bucket %s is gone", errRecord, recordKey(function, hash), bucket)
	}
	if err != nil {
		return document{}, awserr.Wrap("read record of function "+function, err)
	}
	text, err := io.ReadAll(io.LimitReader(out.Body, maxJSON))
	if err := errors.Join(err, out.Body.Close()); err != nil {
		return document{}, fmt.Errorf("read record of function %s: %w", function, err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != hash {
		return document{}, fmt.Errorf("read record of function %s: %w: the object in bucket %s does not match its name", function, errRecord, bucket)
	}
	return unpack(string(text))
}

// sweepRecords removes the documents of a function from S3 but the one that keep
// names. Where there is no bucket there are none.
func (a *account) sweepRecords(ctx context.Context, function string, keep map[string]string) error {
	bucket, err := a.bucketIfAny(ctx)
	if err != nil || bucket == "" {
		return err
	}
	hash, _ := inS3(keep)
	pages := s3.NewListObjectsV2Paginator(a.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String(recordKey(function, ""))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awserr.Wrap("list records of function "+function, err)
		}
		for _, object := range page.Contents {
			if aws.ToString(object.Key) == recordKey(function, hash) {
				continue
			}
			if _, err := a.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: object.Key}); err != nil {
				return awserr.Wrap("remove record of function "+function, err)
			}
		}
	}
	return nil
}

// difference returns which of our tags are there but not wanted, and which are
// wanted but not there with that value. Others' tags are nobody's here; stale
// names those that an earlier deployment put on.
func difference(have, want map[string]string, stale ...string) (gone []string, changed map[string]string) {
	changed = map[string]string{}
	for key, value := range want {
		if old, ok := have[key]; !ok || old != value {
			changed[key] = value
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok && (strings.HasPrefix(key, tagPiece) || slices.Contains(stale, key)) {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	return gone, changed
}
