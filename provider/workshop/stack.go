package workshop

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/drone/envsubst"
	"github.com/goccy/go-yaml"
	"github.com/openfaas/faas-provider/types"
)

// Function is a function as a stack file describes it.
type Function struct {
	Name, Lang string
	Root       string // folder of the stack file
	Handler    string // folder of the function's code, absolute
	Template   string // folder of the template, absolute
	Image      string // reference
	SkipBuild  bool
	BuildArgs  map[string]string
	Copy       []string // more folders for the function, relative to Root

	Deployment types.FunctionDeployment
}

// stackFile is what is read of a stack file: docs.openfaas.com/reference/yaml.
type stackFile struct {
	Version  any `yaml:"version"`
	Provider struct {
		Name string `yaml:"name"`
	} `yaml:"provider"`
	Functions     map[string]stackFunction `yaml:"functions"`
	Configuration struct {
		Copy []string `yaml:"copy"`
	} `yaml:"configuration"`
}

type stackFunction struct {
	Lang            string                   `yaml:"lang"`
	Handler         string                   `yaml:"handler"`
	Image           string                   `yaml:"image"`
	FProcess        string                   `yaml:"fprocess"`
	Environment     map[string]any           `yaml:"environment"`
	EnvironmentFile []string                 `yaml:"environment_file"`
	Secrets         []string                 `yaml:"secrets"`
	SkipBuild       bool                     `yaml:"skip_build"`
	Constraints     []string                 `yaml:"constraints"`
	Labels          map[string]string        `yaml:"labels"`
	Annotations     map[string]string        `yaml:"annotations"`
	Limits          *types.FunctionResources `yaml:"limits"`
	Requests        *types.FunctionResources `yaml:"requests"`
	ReadOnly        bool                     `yaml:"readonly_root_filesystem"`
	Namespace       string                   `yaml:"namespace"`
	BuildArgs       map[string]any           `yaml:"build_args"`
}

// StackOptions say how a stack file is read.
type StackOptions struct {
	Getenv    func(string) string // of ${NAME} and ${NAME:-default}; nil leaves them as they are
	Templates string              // folder of the templates; empty means template beside the stack file
	Filter    string              // names of functions, with * and ?; empty means all
}

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

// ReadStack reads a stack file and returns its functions, by name.
func ReadStack(file string, o StackOptions) ([]Function, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read stack file: %w", err)
	}
	stack, err := parseStack(data, o.Getenv)
	if err != nil {
		return nil, fmt.Errorf("read stack file %s: %w", file, err)
	}
	root, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("read stack file: %w", err)
	}
	var all []Function
	for _, name := range slices.Sorted(maps.Keys(stack.Functions)) {
		if o.Filter != "" {
			if ok, err := path.Match(o.Filter, name); err != nil || !ok {
				continue
			}
		}
		f, err := stack.Functions[name].function(root, name, o)
		if err != nil {
			return nil, fmt.Errorf("read stack file %s: function %s: %w", file, name, err)
		}
		f.Copy = stack.Configuration.Copy
		all = append(all, f)
	}
	if len(all) == 0 && o.Filter != "" {
		return nil, fmt.Errorf("read stack file %s: no function is called %s", file, o.Filter)
	}
	return all, nil
}

// parseStack substitutes variables, as faas-cli does, and reads the document.
func parseStack(data []byte, getenv func(string) string) (stackFile, error) {
	var s stackFile
	if getenv != nil {
		replaced, err := envsubst.Eval(string(data), getenv)
		if err != nil {
			return s, fmt.Errorf("substitute variables: %w", err)
		}
		data = []byte(replaced)
	}
	if err := yaml.Unmarshal(data, &s); err != nil {
		return s, err
	}
	if s.Provider.Name != "openfaas" && s.Provider.Name != "faas" {
		return s, fmt.Errorf(`provider.name is %q, want "openfaas"`, s.Provider.Name)
	}
	switch s.Version {
	case nil, "", "1.0", 1.0, uint64(1):
	default:
		return s, fmt.Errorf("version is %v, want 1.0", s.Version)
	}
	return s, nil
}

func (s stackFunction) function(root, name string, o StackOptions) (Function, error) {
	f := Function{Name: name, Lang: s.Lang, Root: root, Image: s.Image, SkipBuild: s.SkipBuild, BuildArgs: texts(s.BuildArgs)}
	if !s.SkipBuild {
		if s.Lang == "" || s.Handler == "" {
			return f, errors.New("lang and handler are needed to build it")
		}
		f.Handler = absolute(root, s.Handler)
		templates := o.Templates
		if templates == "" {
			templates = filepath.Join(root, "template")
		}
		f.Template = filepath.Join(templates, s.Lang)
		if !exists(filepath.Join(f.Template, "template.yml")) {
			return f, fmt.Errorf("there is no template %s in %s: faas-cli template pull fetches templates, --templates names a folder of them", s.Lang, templates)
		}
	}
	env := map[string]string{}
	for _, file := range s.EnvironmentFile {
		more, err := readEnvironment(absolute(root, file))
		if err != nil {
			return f, err
		}
		maps.Copy(env, more)
	}
	maps.Copy(env, texts(s.Environment))
	f.Deployment = types.FunctionDeployment{
		Service: name, Image: s.Image, EnvProcess: s.FProcess, EnvVars: env, Secrets: s.Secrets, Constraints: s.Constraints, Namespace: s.Namespace,
		Limits: s.Limits, Requests: s.Requests, ReadOnlyRootFilesystem: s.ReadOnly, Labels: pointer(s.Labels), Annotations: pointer(s.Annotations),
	}
	return f, nil
}

func pointer(m map[string]string) *map[string]string {
	if m == nil {
		return nil
	}
	return &m
}

// texts are values as they are written: a number or boolean is its text.
func texts(in map[string]any) map[string]string {
	out := map[string]string{}
	for name, value := range in {
		if value == nil {
			out[name] = ""
			continue
		}
		out[name] = fmt.Sprint(value)
	}
	return out
}

// readEnvironment reads a file whose member environment holds variables.
func readEnvironment(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read environment_file: %w", err)
	}
	var in struct {
		Environment map[string]any `yaml:"environment"`
	}
	if err := yaml.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("read environment_file %s: %w", file, err)
	}
	return texts(in.Environment), nil
}

func absolute(root, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(root, name)
}

// Open returns the functions that a folder stands for: those of the stack file in
// it, the one that a stack file above it names it as the handler of, or the one
// of a template itself.
func Open(dir string, o StackOptions) ([]Function, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("open folder %s: %w", dir, errors.Join(err, fs.ErrInvalid))
	}
	if file, err := FindStack(dir); err == nil {
		return ReadStack(file, o)
	}
	if exists(filepath.Join(dir, "template.yml")) && exists(filepath.Join(dir, "function")) {
		name := filepath.Base(dir)
		f := Function{Name: name, Lang: name, Root: dir, Handler: filepath.Join(dir, "function"), Template: dir}
		f.Deployment = types.FunctionDeployment{Service: name}
		return []Function{f}, nil
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if file, err := FindStack(above); err == nil {
			all, err := ReadStack(file, o)
			if err != nil {
				return nil, err
			}
			if i := slices.IndexFunc(all, func(f Function) bool { return f.Handler == dir }); i >= 0 {
				return all[i : i+1], nil
			}
		}
		if above == filepath.Dir(above) {
			return nil, fmt.Errorf("open folder %s: %w, and none above it names it as a handler: faas-cli new makes one", dir, ErrNoStack)
		}
	}
}
