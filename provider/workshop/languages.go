package workshop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// makeGo compiles a static program.
func makeGo(ctx context.Context, b *build, dir string) ([]files, error) {
	cgo := "0"
	if b.args["CGO_ENABLED"] == "1" {
		// It is linked with this machine's libraries, which those of a base that
		// somebody chose for it can stand in for.
		if cmp.Or(b.Base, scratch(b.args)) == noBase || b.Arch != runtime.GOARCH {
			return nil, errors.New("CGO_ENABLED=1 links with this machine's C library and needs a --base for this machine's processor that has the same or a newer one: or use faas-cli build")
		}
		cgo = "1"
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid="}
	if hasEvents, err := contains(filepath.Join(dir, "function"), "*.go", goEvents); err != nil {
		return nil, err
	} else if hasEvents {
		args = append(args, "-tags", "events")
	}
	env := []string{"CGO_ENABLED=" + cgo, "GOOS=linux", "GOARCH=" + b.Arch}
	for _, name := range []string{"GOFLAGS", "GOPROXY", "GOPRIVATE", "GONOSUMDB"} {
		if value := b.args[name]; value != "" {
			env = append(env, name+"="+value)
		}
	}
	if err := b.command(ctx, dir, env, "go", append(args, "-o", "handler.out", ".")...); err != nil {
		return nil, err
	}
	return program(filepath.Join(dir, "handler.out"), filepath.Join(dir, "function", "static"))
}

// goEvents is the second form of a handler. Without it the program is linked
// without AWS's packages.
var goEvents = regexp.MustCompile(`(?m)^func HandleEvent\(`)

// contains tells whether a file of a folder matches.
func contains(dir, pattern string, what *regexp.Regexp) (bool, error) {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || what.Match(data) {
			return err == nil, err
		}
	}
	return false, nil
}

// program is a compiled function with the files that it serves.
func program(name, static string) ([]files, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	l := files{"home/app/handler": {mode: 0o755, data: data}}
	if _, err := os.Stat(static); err == nil {
		if err := l.add(static, "home/app/static"); err != nil {
			return nil, err
		}
	}
	return []files{l}, nil
}

// makeRust compiles a static program: with musl where its target is installed,
// else with glibc's own archive. A Cargo.lock of the template says the versions of
// the crates that it knows; the function may have others.
func makeRust(ctx context.Context, b *build, dir string) ([]files, error) {
	cpu := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[b.Arch]
	target := cpu + "-unknown-linux-musl"
	if out, err := exec.CommandContext(ctx, "rustc", "--print", "target-libdir", "--target", target).Output(); err != nil || !exists(strings.TrimSpace(string(out))) {
		target = cpu + "-unknown-linux-gnu"
	}
	env := []string{"RUSTFLAGS=-C target-feature=+crt-static -C strip=symbols --remap-path-prefix=" + dir + "=/build"}
	args := []string{"build", "--release", "--target", target}
	if hasEvents, err := contains(filepath.Join(dir, "function", "src"), "*.rs", rustEvents); err != nil {
		return nil, err
	} else if hasEvents {
		args = append(args, "--features", "events")
	}
	if err := b.command(ctx, dir, env, "cargo", args...); err != nil {
		return nil, err
	}
	return program(filepath.Join(dir, "target", target, "release", "handler"), filepath.Join(dir, "function", "static"))
}

// rustEvents is the second form of a handler.
var rustEvents = regexp.MustCompile(`(?m)^pub fn handle_event\b`)

// makeNode installs what package.json names, for the image's processor.
func makeNode(ctx context.Context, b *build, dir string) ([]files, error) {
	function := filepath.Join(dir, "function")
	modules := files{}
	if needs, err := contains(function, "package.json", regexp.MustCompile(`"dependencies"\s*:\s*\{\s*"`)); err != nil {
		return nil, err
	} else if needs {
		args := []string{"install", "--no-package-lock"}
		if exists(filepath.Join(function, "package-lock.json")) {
			args = []string{"ci"}
		}
		cpu := map[string]string{"amd64": "x64", "arm64": "arm64"}[b.Arch]
		args = append(args, "--omit=dev", "--no-audit", "--no-fund", "--os=linux", "--cpu="+cpu, "--libc=glibc")
		if err := b.install(ctx, function, []string{"package.json", "package-lock.json"}, filepath.Join(function, "node_modules"), "npm", args...); err != nil {
			return nil, err
		}
		if err := modules.add(filepath.Join(function, "node_modules"), "home/app/function/node_modules"); err != nil {
			return nil, err
		}
	}
	code, err := scripts(dir, "index.js", "node_modules")
	return []files{modules, code}, err
}

// scripts are a template's own program and the function's folder, without what
// tools have put there.
func scripts(dir, program string, made ...string) (files, error) {
	data, err := os.ReadFile(filepath.Join(dir, program))
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	code := files{path.Join("home/app", program): {mode: 0o644, data: data}}
	return code, code.add(filepath.Join(dir, "function"), "home/app/function", made...)
}

// makeRuby installs what the Gemfile names into a folder of its own.
func makeRuby(ctx context.Context, b *build, dir string) ([]files, error) {
	gems := filepath.Join(dir, "gems")
	installed := files{}
	if needs, err := contains(filepath.Join(dir, "function"), "Gemfile", regexp.MustCompile(`(?m)^\s*gem\s`)); err != nil {
		return nil, err
	} else if needs {
		if b.Arch != runtime.GOARCH {
			return nil, fmt.Errorf("gems for %s cannot be built on %s: use faas-cli build", b.Arch, runtime.GOARCH)
		}
		args := []string{"install", "--no-document", "--install-dir", gems, "-g", "Gemfile"}
		if err := b.install(ctx, filepath.Join(dir, "function"), []string{"Gemfile", "Gemfile.lock"}, gems, "gem", args...); err != nil {
			return nil, err
		}
		if err := installed.add(gems, "home/app/gems", "cache", "doc", "build_info"); err != nil {
			return nil, err
		}
	}
	code, err := scripts(dir, "index.rb")
	return []files{installed, code}, err
}

// makeJava compiles the archives of a function and of what serves it, and fetches
// those that its pom.xml names. Maven keeps what it has fetched by itself. Tests
// are for the developer, and for the template's Dockerfile.
func makeJava(ctx context.Context, b *build, dir string) ([]files, error) {
	lib := filepath.Join(dir, "app", "target", "lib")
	if err := os.RemoveAll(lib); err != nil { // what the function no longer needs would stay
		return nil, fmt.Errorf("clean %s: %w", lib, err)
	}
	args := append([]string{"-B", "-q", "-Dmaven.test.skip=true", "package"}, strings.Fields(b.args["MAVEN_ARGS"])...)
	if err := b.command(ctx, dir, nil, "mvn", args...); err != nil {
		return nil, err
	}
	all := files{}
	if err := all.add(lib, "home/app/lib"); err != nil {
		return nil, err
	}
	// The function's own archives change at each build, and others with pom.xml.
	own, others := files{}, files{}
	for name, f := range all {
		switch path.Base(name) {
		case "function-1.0.jar", "entrypoint-1.0.jar", "model-1.0.jar":
			own[name] = f
		default:
			others[name] = f
		}
	}
	return []files{others, own}, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
