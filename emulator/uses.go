package emulator

import (
	"errors"
	"io"
	"net/http"

	"github.com/faas-lambda/faas-lambda/emulator/lambda"
	"github.com/faas-lambda/faas-lambda/emulator/metrics"
	"github.com/faas-lambda/faas-lambda/emulator/s3"
	"github.com/faas-lambda/faas-lambda/emulator/sns"
)

// What Lambda uses of the other services.

// metricStore is CloudWatch as Lambda writes to it.
type metricStore struct{ store *metrics.Store }

// Record adds a measurement for the account, the function and what was invoked of it.
func (m metricStore) Record(v lambda.Metric) {
	function := metrics.Dimension{Name: "FunctionName", Value: v.Function}
	resource := metrics.Dimension{Name: "Resource", Value: v.Resource}
	sets := [][]metrics.Dimension{nil, {function}, {function, resource}}
	if v.ExecutedVersion != "" {
		sets = append(sets, []metrics.Dimension{{Name: "ExecutedVersion", Value: v.ExecutedVersion}, function, resource})
	}
	for _, dimensions := range sets {
		m.store.Record("AWS/Lambda", v.Name, v.At, v.Value, dimensions...)
	}
}

// ownRegistry is ECR as Lambda pulls images from it.
type ownRegistry struct{ server *Server }

// Registry returns the registry when host is AWS's name for it, or where a client has found it.
func (o ownRegistry) Registry(host string) http.Handler {
	s := o.server
	_, found := s.services.hosts.Load(host)
	if found || host == s.opts.Address || host == s.opts.Account+".dkr.ecr."+s.opts.Region+".amazonaws.com" {
		return s.services.images.Registry()
	}
	return nil
}

// Credentials knows none but those in the usual places.
func (ownRegistry) Credentials(string) (user, password string, ok bool) { return "", "", false }

// objectStore is S3 as Lambda takes code from it.
type objectStore struct{ store *s3.Store }

func (o objectStore) Open(bucket, key, version string) (io.ReadCloser, int64, error) {
	object, size, err := o.store.Get(bucket, key, version)
	for theirs, ours := range map[error]error{s3.ErrNoBucket: lambda.ErrNoBucket, s3.ErrNoKey: lambda.ErrNoKey, s3.ErrNoVersion: lambda.ErrNoVersion} {
		if errors.Is(err, theirs) {
			return nil, 0, ours
		}
	}
	return object, size, err
}

// topicStore is SNS as Lambda uses it.
type topicStore struct{ store *sns.Store }

func (t topicStore) Publish(topic, message string, attributes map[string]string) error {
	err := t.store.Publish(topic, message, attributes)
	if errors.Is(err, sns.ErrNoTopic) {
		return lambda.ErrNoTopic
	}
	return err
}
