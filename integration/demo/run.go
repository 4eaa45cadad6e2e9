package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// demo is the state of one run.
type demo struct {
	out      io.Writer
	root     string // of the repository
	registry *fixture.Registry
	up       *fixture.Up
	began    time.Time
}

// run builds, deploys and invokes the functions, and leaves nothing behind.
func run(ctx context.Context, bin string, out io.Writer) (err error) {
	d := &demo{out: out, began: time.Now()}
	if d.root, err = fixture.Root(); err != nil {
		return err
	}
	data, err := os.MkdirTemp("", "faas-lambda-demo-")
	if err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	defer os.RemoveAll(data)

	d.step("Start an image registry on loopback")
	if d.registry, err = fixture.StartRegistry(); err != nil {
		return err
	}
	defer d.registry.Close()
	d.say("registry %s", d.registry.Addr)

	d.step("Build the function images, without Docker, and push them")
	images, err := d.build(ctx, bin)
	if err != nil {
		return err
	}

	d.step("Start faas-lambda up: the provider and the embedded AWS in one process")
	if d.up, err = fixture.StartUp(ctx, filepath.Join(bin, "faas-lambda"), data, prefixed{d.out}); err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, d.up.Stop())
		}
	}()

	for _, f := range functions {
		if err := d.show(ctx, f, images[f.name]); err != nil {
			return fmt.Errorf("function %s: %w", f.name, err)
		}
	}
	if err := d.remove(ctx); err != nil {
		return err
	}
	d.step("Stop")
	stopped = true
	if err := d.up.Stop(); err != nil {
		return fmt.Errorf("faas-lambda up: %w", err)
	}
	d.say("faas-lambda up and every child ended")
	d.step("All of it held, in %.1f s. To go on by hand:", time.Since(d.began).Seconds())
	fmt.Fprintf(out, handOn, filepath.Join(bin, "faas-lambda"))
	return nil
}

const handOn = `
    %[1]s up                              # provider and embedded AWS on port 8080; it prints how to log in
    faas-cli deploy --name hello --image REGISTRY/IMAGE:TAG   # or a local one: oci:DIR, docker-archive:FILE
    echo world | faas-cli invoke hello
    %[1]s package REGISTRY/IMAGE:TAG -o function.zip   # the Lambda package alone
    %[1]s serve                           # the same provider against your AWS account

README.md tells more.
`

// show deploys one function and makes its calls.
func (d *demo) show(ctx context.Context, f function, image string) error {
	d.step("%s", f.about)
	deployment := types.FunctionDeployment{Service: f.name, Image: image}
	begin := time.Now()
	answer, err := d.up.Deploy(ctx, deployment)
	if err != nil {
		return err
	}
	d.say(`POST /system/functions {"service":%q,"image":%q} -> %d, %.2f s`, f.name, image, answer.Status, time.Since(begin).Seconds())
	if answer.Status != http.StatusAccepted && answer.Status != http.StatusOK {
		return fmt.Errorf("deploy answered %d: %s", answer.Status, answer.Body)
	}
	for _, c := range f.calls {
		if err := d.call(ctx, f.name, c); err != nil {
			return err
		}
	}
	return nil
}

// call makes one invocation and compares the answer, byte for byte.
func (d *demo) call(ctx context.Context, name string, c call) error {
	path := "/function/" + name + c.path
	begin := time.Now()
	answer, err := d.up.Do(ctx, http.MethodPost, path, c.body, "Content-Type", c.sends)
	if err != nil {
		return err
	}
	got := answer.Header.Get("Content-Type")
	d.say("POST %s (%s, %s) -> %d, %s, %s, %.1f ms", path, c.sends, brief(c.body), answer.Status, got, brief(answer.Body),
		float64(time.Since(begin).Microseconds())/1000)
	switch {
	case answer.Status != http.StatusOK:
		return fmt.Errorf("%s answered %d: %s", path, answer.Status, answer.Body)
	case got != c.contentType:
		return fmt.Errorf("%s answered content type %q, not %q", path, got, c.contentType)
	case !bytes.Equal(answer.Body, c.want):
		return fmt.Errorf("%s answered %s, not %s", path, brief(answer.Body), brief(c.want))
	}
	return nil
}

// remove lists the functions and deletes them.
func (d *demo) remove(ctx context.Context) error {
	d.step("List the functions and remove them")
	answer, err := d.up.Do(ctx, http.MethodGet, "/system/functions", nil)
	if err != nil {
		return err
	}
	d.say("GET /system/functions -> %d, %d bytes of JSON", answer.Status, len(answer.Body))
	for _, f := range functions {
		if !bytes.Contains(answer.Body, []byte(`"name":"`+f.name+`"`)) {
			return fmt.Errorf("the list lacks function %s: %s", f.name, answer.Body)
		}
		removed, err := d.up.Remove(ctx, f.name)
		if err != nil {
			return err
		}
		d.say(`DELETE /system/functions {"functionName":%q} -> %d`, f.name, removed.Status)
		if removed.Status >= http.StatusMultipleChoices {
			return fmt.Errorf("remove %s answered %d: %s", f.name, removed.Status, removed.Body)
		}
	}
	return nil
}

func (d *demo) step(format string, args ...any) {
	fmt.Fprintf(d.out, "\n==> "+format+"\n", args...)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, "    "+format+"\n", args...) }

// brief shows short text whole and anything else by its size.
func brief(b []byte) string {
	if s := string(b); len(b) <= 60 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' || r == 0xfffd }) {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%d bytes", len(b))
}

// prefixed sets what a child prints apart.
type prefixed struct{ w io.Writer }

func (p prefixed) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Fprint(p.w, "    | "+strings.TrimRight(line, "\n")+"\n"); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// arch is the architecture that the sandboxes run: the machine's own.
const arch = runtime.GOARCH
