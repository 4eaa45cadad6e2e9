package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
)

// function is one deployment of the demo with the calls that it must answer.
type function struct {
	name  string
	about string
	calls []call
}

type call struct {
	path        string // after /function/NAME
	sends       string // content type of the request
	body        []byte
	contentType string
	want        []byte
}

var functions = []function{
	{"web", "A Go function in an image shaped like the golang-middleware template's", []call{
		{"/", "text/plain", []byte("world"), "text/html; charset=utf-8", []byte("<h1>Hello, world!</h1>\n")},
		{"/image.png", "text/plain", nil, "image/png", picture.PNG()},
		{"/echo", "image/png", picture.PNG(), "image/png", picture.PNG()},
	}},
	{"go-lambda", "The same from our own template, templates/template/go-lambda", []call{
		{"/", "text/plain", []byte("world"), "text/html; charset=utf-8", []byte("<p>Hello, world!</p>\n")},
	}},
	{"cat", "A classic watchdog image: one process for each request, fprocess=cat", []call{
		{"/", "text/plain", []byte("any bytes\n"), "text/plain", []byte("any bytes\n")},
		{"/", "image/png", picture.PNG(), "image/png", picture.PNG()},
	}},
}

// build compiles the functions, makes their images and pushes them. It returns
// the references by function name.
func (d *demo) build(ctx context.Context, bin string) (map[string]string, error) {
	fwatchdog, err := os.ReadFile(filepath.Join(bin, "fwatchdog"))
	if err != nil {
		return nil, fmt.Errorf("read fwatchdog: %w", err)
	}
	programs := map[string][]byte{}
	for name, source := range map[string]string{
		"web": "integration/functions/web", "cat": "integration/functions/cat", "classic": "integration/functions/watchdog",
		"go-lambda": "templates/template/go-lambda",
	} {
		if programs[name], err = fixture.Build(ctx, filepath.Join(d.root, source), ".", arch); err != nil {
			return nil, err
		}
	}
	images := map[string]func() (v1.Image, error){
		"web":       func() (v1.Image, error) { return fixture.Middleware(arch, programs["web"], fwatchdog) },
		"go-lambda": func() (v1.Image, error) { return fixture.GoLambda(arch, programs["go-lambda"], fwatchdog) },
		"cat":       func() (v1.Image, error) { return fixture.Classic(arch, programs["cat"], programs["classic"]) },
	}
	references := map[string]string{}
	for _, f := range functions {
		img, err := images[f.name]()
		if err != nil {
			return nil, err
		}
		ref, err := d.registry.Push(ctx, "functions/"+f.name+":1", img)
		if err != nil {
			return nil, err
		}
		digest, err := img.Digest()
		if err != nil {
			return nil, err
		}
		d.say("%s, %s", ref, digest)
		references[f.name] = ref
	}
	return references, nil
}
