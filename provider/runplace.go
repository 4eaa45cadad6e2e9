package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/config"
)

// runnable is something that can be put on the embedded AWS as a function.
type runnable interface {
	place(ctx context.Context, cfg config.Config, o runOptions, dir string) (placed, error)
}

// placed is a function that can be invoked.
type placed struct {
	name    string
	handler http.Handler // of its requests
	close   func() error
}

// find says what target is.
func (o runOptions) find(target string) (runnable, error) {
	info, err := os.Stat(target)
	switch {
	case err != nil && (strings.HasPrefix(target, ".") || filepath.IsAbs(target) || strings.HasSuffix(target, ".zip")):
		return nil, fmt.Errorf("run %s: %w", target, err)
	case err != nil:
		return imageTarget(target), nil // not on this disk, so a reference
	case info.IsDir():
		if _, err := os.Stat(filepath.Join(target, "oci-layout")); err == nil {
			return imageTarget("oci:" + target), nil
		}
		return folderTarget(target), nil
	case strings.HasSuffix(target, ".zip"):
		return zipTarget(target), nil
	}
	return nil, fmt.Errorf("run %s: neither a folder nor a .zip; an archive of an image is oci-archive:%[1]s or docker-archive:%[1]s", target)
}

// imageTarget is the reference of an image.
type imageTarget string

// place deploys the image through the provider's own API, without its port.
func (t imageTarget) place(ctx context.Context, cfg config.Config, o runOptions, _ string) (placed, error) {
	secrets, err := o.secrets(nil)
	if err != nil {
		return placed{}, err
	}
	d, err := o.deployment(string(t))
	if err != nil {
		return placed{}, err
	}
	return deployLocal(ctx, cfg, d, secrets)
}

// deployment is what the flags say of the function, with its image.
func (o runOptions) deployment(image string) (types.FunctionDeployment, error) {
	env, err := pairs("env", o.env)
	if err != nil {
		return types.FunctionDeployment{}, err
	}
	annotations, err := pairs("annotation", o.annotations)
	if err != nil {
		return types.FunctionDeployment{}, err
	}
	if o.timeout > 0 { // the watchdog's limits are Lambda's
		for _, name := range []string{"exec_timeout", "read_timeout", "write_timeout"} {
			env[name] = o.timeout.String()
		}
	}
	d := types.FunctionDeployment{Service: o.name, Image: image, EnvVars: env, Annotations: &annotations}
	if d.Service == "" {
		d.Service = nameFrom(image)
	}
	return d, nil
}

// deployLocal deploys to a provider in this process, with the secrets that the
// function reads, and returns the function.
func deployLocal(ctx context.Context, cfg config.Config, d types.FunctionDeployment, secrets []types.Secret) (placed, error) {
	provider, closeBackend, err := handler(ctx, ctx.Done(), ctx.Done(), cfg, quietLogger())
	if err != nil {
		return placed{}, err
	}
	for _, secret := range secrets {
		if err := post(ctx, provider, "/system/secrets", secret); err != nil {
			return placed{}, errors.Join(fmt.Errorf("keep secret %s: %w", secret.Name, err), closeBackend())
		}
		d.Secrets = append(d.Secrets, secret.Name)
	}
	if err := post(ctx, provider, "/system/functions", d); err != nil {
		return placed{}, errors.Join(fmt.Errorf("deploy %s: %w", d.Image, err), closeBackend())
	}
	return placed{name: d.Service, handler: below(provider, "/function/"+d.Service), close: closeBackend}, nil
}

// below serves what is asked for at / as what next serves at prefix.
func below(next http.Handler, prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := r.Clone(r.Context())
		inner.URL.Path = prefix + r.URL.Path
		if r.URL.RawPath != "" {
			inner.URL.RawPath = prefix + r.URL.RawPath
		}
		inner.RequestURI = inner.URL.RequestURI()
		next.ServeHTTP(w, inner)
	})
}

// post gives a request with a document to a handler of this process. An answer
// that is an error is returned as such.
func post(ctx context.Context, to http.Handler, path string, document any) error {
	data, err := json.Marshal(document)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	answer := &innerAnswer{header: http.Header{}, status: http.StatusOK}
	to.ServeHTTP(answer, r)
	if answer.status >= http.StatusBadRequest {
		return fmt.Errorf("%s", strings.TrimSpace(answer.body.String()))
	}
	return nil
}

// innerAnswer is the answer of a handler in this process.
type innerAnswer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (a *innerAnswer) Header() http.Header         { return a.header }
func (a *innerAnswer) WriteHeader(status int)      { a.status = status }
func (a *innerAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

// zipTarget is the file of a Lambda function's package, ours or another's.
type zipTarget string

// maxZip is what CreateFunction takes (docs.aws.amazon.com/lambda, "Lambda
// quotas").
const maxZip = 50 << 20

// place creates the function by Lambda's own API. Requests reach it as a
// function URL's would, whoever made it.
func (t zipTarget) place(ctx context.Context, cfg config.Config, o runOptions, _ string) (placed, error) {
	if len(o.secretNames) > 0 {
		return placed{}, fmt.Errorf("run %s: --secret is for images and folders: a zip is given its secrets by --env FAAS_LAMBDA_SECRETS=… (docs/secrets.md)", string(t))
	}
	env, err := pairs("env", o.env)
	if err != nil {
		return placed{}, err
	}
	code, err := readZip(string(t))
	if err != nil {
		return placed{}, err
	}
	p := placed{name: o.name, close: func() error { return nil }}
	if p.name == "" {
		p.name = nameFrom(string(t))
	}
	lambda := lambdaClient{endpoint: cfg.Lambda.Endpoint, function: p.name}
	err = lambda.create(ctx, map[string]any{
		"FunctionName": p.name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": cfg.Lambda.Role,
		"Code": map[string]any{"ZipFile": code}, "MemorySize": cfg.Lambda.Memory, "Timeout": int(cfg.Lambda.Timeout.Seconds()),
		"Environment": map[string]any{"Variables": env}, "Architectures": []string{map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]},
	})
	p.handler = urlHandler{lambda: lambda}
	return p, err
}

func readZip(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxZip {
		return nil, fmt.Errorf("run %s: it has %d bytes, Lambda takes zips of up to %d: run the image instead", name, info.Size(), maxZip)
	}
	return os.ReadFile(name)
}

// create makes the function and waits until it can be invoked.
func (c lambdaClient) create(ctx context.Context, request map[string]any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := c.post(ctx, "/2015-03-31/functions", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		said, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		return fmt.Errorf("create function %s: %s", c.function, message(said))
	}
	return c.active(ctx)
}
