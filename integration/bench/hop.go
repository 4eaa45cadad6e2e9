package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// So many invocations are made each way, in turns of hopTurn, by so many clients
// at a time.
const (
	hopInvocations = 4000
	hopTurn        = 200
)

var hopClients = []int{1, 8}

// hopping compares an invocation through the provider with the call that it makes
// of Lambda, made by AWS's SDK itself: both to the same function on the same
// embedded AWS, from the same client process.
func hopping(ctx context.Context, bin string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "faas-lambda-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	up, err := startEcho(ctx, bin, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Stop()) }()
	client := lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &up.AWS, Credentials: credentials.NewStaticCredentialsProvider("faas-lambda", "faas-lambda", ""),
		HTTPClient: wholeAnswers{awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 64 })},
	})
	body := bytes.Repeat([]byte("x"), hopBody)
	through := func() error {
		_, err := invocation(ctx, up.URL+"/function/echo/echo", body)
		return err
	}
	direct := func() error { return invokeDirect(ctx, client, body) }
	fmt.Fprintf(out, "\nHop: an invocation of %d bytes by the SDK and through the provider, %d each in turns\n", hopBody, hopInvocations)
	fmt.Fprintf(out, "%-42s %9s %9s %9s\n", "", "p50", "p99", "a second")
	for _, clients := range hopClients {
		if err := hopWith(clients, direct, through, out); err != nil {
			return err
		}
	}
	return nil
}

// wholeAnswers keeps the SDK from cutting answers short: see plainBodies in
// provider/backend/aws, which has to do the same.
type wholeAnswers struct{ aws.HTTPClient }

func (c wholeAnswers) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.HTTPClient.Do(r)
}

// startEcho runs the program with a function that answers its request's body.
func startEcho(ctx context.Context, bin, dir string, labels map[string]string) (*fixture.Up, error) {
	root, err := fixture.Root()
	if err != nil {
		return nil, err
	}
	web, err := fixture.Build(ctx, filepath.Join(root, "integration", "functions", "web"), ".", runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	watchdog, err := fixture.Build(ctx, filepath.Join(root, "integration", "functions", "watchdog"), ".", runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	image, err := fixture.Middleware(runtime.GOARCH, web, watchdog)
	if err != nil {
		return nil, err
	}
	registry, err := fixture.StartRegistry()
	if err != nil {
		return nil, err
	}
	defer registry.Close()
	ref, err := registry.Push(ctx, "functions/echo:1", image)
	if err != nil {
		return nil, err
	}
	up, err := fixture.StartUp(ctx, filepath.Join(bin, "faas-lambda"), dir, io.Discard, "--no-auth")
	if err != nil {
		return nil, err
	}
	answer, err := up.Deploy(ctx, types.FunctionDeployment{Service: "echo", Image: ref, EnvProcess: "./handler", Labels: &labels})
	if err == nil && answer.Status >= 300 {
		err = fmt.Errorf("deploy answered %d: %s", answer.Status, answer.Body)
	}
	if err != nil {
		return nil, errors.Join(err, up.Stop())
	}
	return up, nil
}

// hopWith measures with a number of clients at a time.
func hopWith(clients int, direct, through func() error, out io.Writer) error {
	if _, _, err := volley(clients, hopTurn, through); err != nil { // warms up
		return err
	}
	if _, _, err := volley(clients, hopTurn, direct); err != nil {
		return err
	}
	var times [2][]time.Duration
	var took [2]time.Duration
	for range hopInvocations / hopTurn {
		for way, call := range []func() error{direct, through} {
			some, elapsed, err := volley(clients, hopTurn, call)
			if err != nil {
				return err
			}
			times[way], took[way] = append(times[way], some...), took[way]+elapsed
		}
	}
	rate := func(way int) float64 { return hopInvocations / took[way].Seconds() }
	for way, name := range []string{"the SDK alone", "through the provider"} {
		slices.Sort(times[way])
		fmt.Fprintf(out, "%-42s %6.3f ms %6.3f ms %9.0f\n", fmt.Sprintf("%s, %d at a time", name, clients),
			ms(median(times[way])), ms(times[way][hopInvocations*99/100]), rate(way))
	}
	fmt.Fprintf(out, "%-42s %9.2f %9.2f %9.2f\n", "provider / SDK",
		ratio(median(times[1]), median(times[0])), ratio(times[1][hopInvocations*99/100], times[0][hopInvocations*99/100]), rate(1)/rate(0))
	return nil
}

// volley makes n calls by so many clients at a time.
func volley(clients, n int, call func() error) ([]time.Duration, time.Duration, error) {
	times := make([]time.Duration, n)
	failed := make([]error, clients)
	begin := time.Now()
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for i := c; i < n && failed[c] == nil; i += clients {
				start := time.Now()
				failed[c] = call()
				times[i] = time.Since(start)
			}
		})
	}
	wait.Wait()
	return times, time.Since(begin), errors.Join(failed...)
}

// invokeDirect is the call that the provider makes, by the SDK, read to its end.
func invokeDirect(ctx context.Context, client *lambda.Client, body []byte) error {
	event := fmt.Appendf(nil, `{"version":"2.0","routeKey":"$default","rawPath":"/echo","rawQueryString":"","headers":{"content-type":"text/plain"},`+
		`"requestContext":{"http":{"method":"POST","path":"/echo","protocol":"HTTP/1.1","sourceIp":"127.0.0.1"}},"isBase64Encoded":true,"faasLambda":{"version":1},"body":%q}`,
		base64.StdEncoding.EncodeToString(body))
	out, err := client.InvokeWithResponseStream(ctx, &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("echo"), Qualifier: aws.String("live"), Payload: event})
	if err != nil {
		return err
	}
	stream := out.GetStream()
	var got []byte
	for event := range stream.Events() {
		switch e := event.(type) {
		case *lambdatypes.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			got = append(got, e.Value.Payload...)
		case *lambdatypes.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			if aws.ToString(e.Value.ErrorCode) != "" {
				err = fmt.Errorf("invocation failed: %s", aws.ToString(e.Value.ErrorDetails))
			}
		}
	}
	if !bytes.HasSuffix(got, body) && err == nil {
		err = fmt.Errorf("answer %s", got)
	}
	return errors.Join(err, stream.Err(), stream.Close())
}
