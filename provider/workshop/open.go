package workshop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/openfaas/faas-provider/types"
)

// ErrNoStack says that a folder has no stack file.
var ErrNoStack = errors.New("no stack.yaml")

// stackNames are the files that faas-cli looks for.
var stackNames = []string{"stack.yaml", "stack.yml"}

// FindStack returns the stack file of a folder.
func FindStack(dir string) (string, error) {
	for _, name := range stackNames {
		if file := filepath.Join(dir, name); exists(file) {
			return file, nil
		}
	}
	return "", fmt.Errorf("%w in %s", ErrNoStack, dir)
}

// loadStack returns a stack file and the folders that its paths start from.
func loadStack(ctx context.Context, file string) ([]byte, []string, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(file, "http://") || strings.HasPrefix(file, "https://") {
		data, err := download(ctx, file)
		return data, []string{here}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	return data, []string{dir, here}, err
}

// maxStack is more than any stack file has.
const maxStack = 16 << 20

func download(ctx context.Context, url string) (_ []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", url, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxStack))
}

// find returns where a path of a stack file leads: from the first of the folders
// that has it, else from the first.
func find(roots []string, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	for _, root := range roots {
		if at := filepath.Join(root, name); exists(at) {
			return at
		}
	}
	return filepath.Join(roots[0], name)
}

// checkFolder tells whether there is a folder.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return fmt.Errorf("open folder %s: %w", dir, err)
	}
	return nil
}

// Open returns the functions that a folder stands for: those of the stack file in
// it, those whose handler it is in a stack file above it, or the one of a template
// itself.
func Open(ctx context.Context, dir string, o StackOptions) ([]Function, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	if file, err := FindStack(dir); err == nil {
		return ReadStack(ctx, file, o)
	}
	if exists(filepath.Join(dir, "template.yml")) && exists(filepath.Join(dir, "function")) {
		name := filepath.Base(dir)
		f := Function{Name: name, Lang: name, Handler: filepath.Join(dir, "function"), Template: dir}
		f.Deployment = types.FunctionDeployment{Service: name}
		return []Function{f}, nil
	}
	chosen, err := o.chooses()
	if err != nil {
		return nil, err
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if file, err := FindStack(above); err == nil {
			all, err := readStack(ctx, file, o, func(name, handler string) bool { return handler == dir && chosen(name) })
			if err != nil || len(all) > 0 {
				return all, err
			}
		}
		if above == filepath.Dir(above) {
			return nil, fmt.Errorf("open folder %s: %w, and none above it names it as a handler: faas-cli new makes one", dir, ErrNoStack)
		}
	}
}

// Described is the function that words describe, as flags of faas-cli do without a
// stack file. Paths are relative to the working directory.
func Described(name, lang, handler string, o StackOptions) (Function, error) {
	here, err := os.Getwd()
	if err != nil {
		return Function{}, err
	}
	f, err := stackFunction{Lang: lang, Handler: handler}.function([]string{here}, name, o)
	if err == nil {
		f.Copy, err = extras([]string{here}, o.Copy)
	}
	if err != nil {
		return f, fmt.Errorf("function %s: %w", name, err)
	}
	return f, nil
}
