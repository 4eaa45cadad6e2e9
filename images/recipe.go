package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// recipe is what one image is made of.
type recipe struct {
	name        string // of the program, and of the image
	description string
	base        func() ([]file, error) // what is in the image besides the program
	config      v1.Config
}

// nonroot is who the provider runs as; Kubernetes' runAsNonRoot wants a number.
const nonroot = 65532

// tag is what a registry takes as one
// (github.com/opencontainers/distribution-spec, "Pulling manifests").
var tag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

var provider = recipe{
	name:        "faas-lambda",
	description: "OpenFaaS provider that runs functions, unmodified, on AWS Lambda",
	base:        providerFiles,
	config: v1.Config{
		Entrypoint:   []string{"/faas-lambda"},
		Cmd:          []string{"serve"},
		User:         fmt.Sprintf("%d:%d", nonroot, nonroot),
		Env:          []string{"PATH=/", "HOME=/home/nonroot"},
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
	},
}

// fwatchdog's image is a file to take: COPY --from=IMAGE /fwatchdog /usr/bin/fwatchdog.
var fwatchdog = recipe{
	name:        "fwatchdog",
	description: "Watchdog of OpenFaaS functions, as one file: COPY --from=IMAGE /fwatchdog /usr/bin/fwatchdog",
	base:        func() ([]file, error) { return nil, nil },
	config:      v1.Config{Entrypoint: []string{"/fwatchdog"}},
}

// providerFiles are who the program runs as, what it trusts, and where it may
// write when the root is not read-only.
func providerFiles() ([]file, error) {
	authorities, err := authorities()
	if err != nil {
		return nil, err
	}
	return []file{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: []byte(fmt.Sprintf("root:x:0:\nnonroot:x:%d:\n", nonroot))},
		{name: "etc/passwd", mode: 0o644, data: []byte(fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:%d:%[1]d:nonroot:/home/nonroot:/sbin/nologin\n", nonroot))},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities},
		{name: "home/", mode: 0o755},
		{name: "home/nonroot/", mode: 0o700, owner: nonroot},
		{name: "tmp/", mode: 0o1777},
	}, nil
}

// writeRoot writes the files into a directory, for those who build an image by a
// Dockerfile. Owners are left to COPY.
func writeRoot(dir string) error {
	files, err := providerFiles()
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if f.isDir() {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, f.data, 0o644)
		}
		if err == nil {
			err = os.Chmod(path, f.fileMode())
		}
		if err == nil && f.owner != 0 && os.Geteuid() == 0 {
			err = os.Chown(path, f.owner, f.owner)
		}
		if err != nil {
			return fmt.Errorf("write root of the image: %w", err)
		}
	}
	return nil
}
