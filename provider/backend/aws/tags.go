package aws

import (
	"context"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// writeTags records a document and more in a function's tags, and removes those
// named stale. It returns the document and the tags as they then are.
func (b *Backend) writeTags(ctx context.Context, a *account, f tagged, doc document, more map[string]string, stale []string) (document, map[string]string, error) {
	doc, want, err := a.writeDocument(ctx, f.function, doc)
	if err != nil {
		return doc, nil, err
	}
	maps.Copy(want, more)
	gone, changed := difference(f.tags, want, stale...)
	if err := b.retag(ctx, a, f, changed); err != nil {
		return doc, nil, err
	}
	if len(gone) > 0 {
		_, err := a.lambda.UntagResource(ctx, &lambda.UntagResourceInput{Resource: &f.arn, TagKeys: gone})
		if err != nil {
			return doc, nil, awserr.Wrap("record function "+f.function, err)
		}
	}
	now := maps.Clone(want)
	for key, value := range f.tags {
		if _, ok := want[key]; !ok {
			now[key] = value
		}
	}
	for _, key := range gone {
		delete(now, key)
	}
	return doc, now, nil
}

// tagged is a function and the tags that it has.
type tagged struct {
	function, arn string
	tags          map[string]string
}

func (f *found) tagged() tagged { return tagged{f.function(), f.arn(), f.tags} }

// retag adds or replaces tags.
func (b *Backend) retag(ctx context.Context, a *account, f tagged, changed map[string]string) error {
	if len(changed) == 0 {
		return nil
	}
	_, err := a.lambda.TagResource(ctx, &lambda.TagResourceInput{Resource: &f.arn, Tags: changed})
	return awserr.Wrap("record function "+f.function, err)
}
