package s3

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

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
		_ = n.checkOverlap() // whatever it says, it ends
	})
}
