package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/config"
	"github.com/faas-lambda/faas-lambda/provider/workshop"
)

// watcher keeps functions of a folder deployed as they are on disk.
type watcher struct {
	read      func(context.Context) ([]workshop.Function, error) // them as the stack file has them
	functions []workshop.Function
	options   workshop.Options
	images    string // folder of their images
	provider  string // URL
	user      string
	password  string
	out       io.Writer
}

// newWatcher prepares to watch what a folder or stack file stands for.
func newWatcher(ctx context.Context, target string, o folderOptions, cfg config.Config, addr net.Addr, dataDir string, out io.Writer) (*watcher, error) {
	read := func(ctx context.Context) ([]workshop.Function, error) {
		all, err := o.functions(ctx, target)
		return slices.DeleteFunc(all, func(f workshop.Function) bool { return f.SkipBuild }), err
	}
	functions, err := read(ctx)
	if err != nil {
		return nil, err
	}
	options, err := o.workshop(runtime.GOARCH, out)
	if err != nil {
		return nil, err
	}
	w := &watcher{
		read: read, functions: functions,
		options: options, images: filepath.Join(dataDir, "watch"), provider: "http://" + addr.String(), out: out,
	}
	if cfg.BasicAuth {
		for name, to := range map[string]*string{"basic-auth-user": &w.user, "basic-auth-password": &w.password} {
			data, err := os.ReadFile(filepath.Join(cfg.SecretMountPath, name))
			if err != nil {
				return nil, fmt.Errorf("read credentials: %w", err)
			}
			*to = strings.TrimSpace(string(data))
		}
	}
	return w, nil
}

// run deploys all functions, and each again when something of it changes, until
// ctx ends. What does not build is told, and built again at the next change.
func (w *watcher) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round watches the functions until they are read anew, from a stack file that was
// changed.
func (w *watcher) round(ctx context.Context) error {
	var paths []string
	for _, f := range w.functions {
		paths = slices.Concat(paths, f.Described, f.Sources())
	}
	slices.Sort(paths)
	ctx, next := context.WithCancel(ctx)
	defer next()
	first := true
	return workshop.Watch(ctx, slices.Compact(paths), func(changed []string) {
		isOf := func(path string) bool { return slices.Contains(changed, path) }
		described := slices.ContainsFunc(w.functions, func(f workshop.Function) bool { return slices.ContainsFunc(f.Described, isOf) })
		if described && !first {
			if functions, err := w.read(ctx); err != nil {
				fmt.Fprintln(w.out, err)
			} else {
				w.functions = functions
				next()
			}
			return
		}
		first = false
		for _, f := range w.functions {
			if slices.ContainsFunc(f.Sources(), isOf) {
				w.deploy(ctx, f)
			}
		}
	})
}

// deploy builds a function, deploys it, and says how it went.
func (w *watcher) deploy(ctx context.Context, f workshop.Function) {
	begin := time.Now()
	built, err := w.put(ctx, f)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		fmt.Fprintf(w.out, "%s: %v\n", f.Name, err)
	default:
		fmt.Fprintf(w.out, "%s: built in %.2f s, deployed in %.2f s\n", f.Name, built.Seconds(), (time.Since(begin) - built).Seconds())
	}
}

// put returns how long building took.
func (w *watcher) put(ctx context.Context, f workshop.Function) (time.Duration, error) {
	begin := time.Now()
	img, err := workshop.Build(ctx, f, w.options)
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(w.images, f.Name)
	if err := workshop.WriteLayout(dir, "", img); err != nil {
		return 0, err
	}
	built := time.Since(begin)
	d := f.Deployment
	d.Image = "oci:" + dir
	status, err := w.send(ctx, http.MethodPut, d)
	if err == nil && status == http.StatusNotFound {
		_, err = w.send(ctx, http.MethodPost, d)
	}
	return built, err
}

// send gives the deployment to the provider. 404 is no error.
func (w *watcher) send(ctx context.Context, method string, document any) (_ int, err error) {
	data, err := json.Marshal(document)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, w.provider+"/system/functions", bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(w.user, w.password)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, fmt.Errorf("deploy: %w", err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, fmt.Errorf("deploy: %w", err)
	}
	if answer.StatusCode >= http.StatusBadRequest && answer.StatusCode != http.StatusNotFound {
		return answer.StatusCode, fmt.Errorf("deploy: %s", strings.TrimSpace(string(said)))
	}
	return answer.StatusCode, nil
}
