package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// load returns the configuration of the SDK's clients, as Options.Endpoint says out of
// the options alone or from where the SDK looks. It calls no service.
func load(ctx context.Context, opts Options) (aws.Config, error) {
	// No timeout here ends a call: an invocation lasts up to 15 minutes
	// without a byte on the wire, and its own context ends it.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		if opts.MaxIdleConns > 0 {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = opts.MaxIdleConns, opts.MaxIdleConns
		}
	})
	if opts.Endpoint != "" {
		return aws.Config{
			Region:      opts.Region,
			Credentials: credentials.NewStaticCredentialsProvider(opts.AccessKey, opts.SecretKey, ""),
			HTTPClient:  plainBodies{client},
			// Of every service: the embedded AWS tells them apart.
			BaseEndpoint: aws.String(opts.Endpoint),
		}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	cfg.HTTPClient = plainBodies{cfg.HTTPClient}
	if opts.Region != "" {
		cfg.Region = opts.Region
	}
	if cfg.Region == "" {
		return aws.Config{}, errors.New("load AWS configuration: no region: set AWS_REGION or choose a profile that has one")
	}
	return cfg, nil
}

// sdkLog is where the SDK writes, which has a log of its own on standard error
// otherwise. What it warns of is of interest to nobody whose calls succeed.
func sdkLog(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) {
		log.Debug("AWS SDK", "message", fmt.Sprintf(format, v...))
	})
}

// plainBodies is an HTTP client for the SDK that hides that a request's body
// has a WriteTo.
//
// The SDK closes the body of a request as soon as the answer has begun, and its
// WriteTo then returns io.EOF (smithy-go 1.28, transport/http/internal/io), which
// io.Copy takes for a failure. When that happens before net/http has made sure
// that the body holds no more than it said, net/http closes the connection in
// the middle of the answer: one of some twenty quick functions on a near network
// was cut off. Read returns io.EOF as well, where it is none.
type plainBodies struct{ aws.HTTPClient }

func (c plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.HTTPClient.Do(r)
}

// transportOf returns what carries the requests of an SDK's client.
func transportOf(client aws.HTTPClient) http.RoundTripper {
	switch c := client.(type) {
	case plainBodies:
		return transportOf(c.HTTPClient)
	case interface{ GetTransport() *http.Transport }:
		return c.GetTransport()
	}
	return carrier{client}
}

// carrier is an SDK's client as a RoundTripper.
type carrier struct{ client aws.HTTPClient }

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c.client.Do(r) }
