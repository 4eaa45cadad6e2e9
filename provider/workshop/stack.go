package workshop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/drone/envsubst"
	"github.com/openfaas/faas-provider/types"
	"go.yaml.in/yaml/v3"
)

// Function is a function as a stack file describes it.
type Function struct {
	Name, Lang string
	Handler    string // folder of the function's code, absolute
	Template   string // folder of the template, absolute
	Image      string // reference
	SkipBuild  bool
	BuildArgs  map[string]string
	Withheld   []string          // names of secrets for its build, which is given none
	Described  []string          // files that say so, absolute: the stack file and those of its environment
	Copy       map[string]string // more files and folders of the function, by where they go below it: absolute

	Deployment types.FunctionDeployment
}

// Sources are the files and folders that the function is built from, beside its
// template.
func (f Function) Sources() []string {
	return append(slices.Sorted(maps.Values(f.Copy)), f.Handler)
}

// stackFile is what is read of a stack file: docs.openfaas.com/reference/yaml.
// Numbers and booleans that stand for texts are the texts as they are written.
type stackFile struct {
	Version  string `yaml:"version"`
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
	Environment     map[string]string        `yaml:"environment"`
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
	BuildArgs       map[string]string        `yaml:"build_args"`
	BuildOptions    []string                 `yaml:"build_options"`
	BuildSecrets    map[string]string        `yaml:"build_secrets"`
}

// StackOptions say how a stack file is read.
type StackOptions struct {
	Getenv    func(string) string // of ${NAME} and ${NAME:-default}; nil leaves them as they are
	Templates string              // folder of the templates; empty means template beside the stack file
	Filter    string              // names of functions, with *; empty means all
	Regex     string              // matches names of functions; empty means all
	Options   []string            // build options of all functions, beside their own
	Copy      []string            // more folders for all functions, beside the stack file's
}

// ReadStack reads a stack file, of this machine or at an http or https URL, and
// returns its functions, by name. Paths in it are relative to its folder, or to
// the working directory, as faas-cli has them.
func ReadStack(ctx context.Context, file string, o StackOptions) ([]Function, error) {
	chosen, err := o.chooses()
	if err != nil {
		return nil, err
	}
	all, err := readStack(ctx, file, o, func(name, _ string) bool { return chosen(name) })
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("read stack file %s: it has no function%s", file, o.named())
	}
	return all, err
}

// readStack returns the functions that are wanted by name or handler. What is
// wrong with others does not matter.
func readStack(ctx context.Context, file string, o StackOptions, wanted func(name, handler string) bool) ([]Function, error) {
	data, roots, err := loadStack(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("read stack file: %w", err)
	}
	var described []string
	if len(roots) > 1 {
		described = []string{filepath.Join(roots[0], filepath.Base(file))}
	}
	stack, err := parseStack(data, o.Getenv)
	if err != nil {
		return nil, fmt.Errorf("read stack file %s: %w", file, err)
	}
	var all []Function
	for _, name := range slices.Sorted(maps.Keys(stack.Functions)) {
		if !wanted(name, find(roots, stack.Functions[name].Handler)) {
			continue
		}
		f, err := stack.Functions[name].function(roots, name, o)
		f.Described = append(f.Described, described...)
		if err == nil && !f.SkipBuild {
			f.Copy, err = extras(roots, slices.Concat(stack.Configuration.Copy, o.Copy))
		}
		if err != nil {
			return nil, fmt.Errorf("read stack file %s: function %s: %w", file, name, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// chooses tells by its name whether a function is wanted.
func (o StackOptions) chooses() (func(name string) bool, error) {
	switch {
	case o.Filter != "" && o.Regex != "":
		return nil, errors.New("--filter and --regex are two choices of functions: give one of them")
	case o.Filter != "":
		parts := strings.Split(o.Filter, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString, nil
	}
	expression, err := regexp.Compile(o.Regex)
	if err != nil {
		return nil, fmt.Errorf("--regex %s: %w", o.Regex, err)
	}
	return expression.MatchString, nil
}

// named says which functions were wanted.
func (o StackOptions) named() string {
	if pattern := cmp.Or(o.Filter, o.Regex); pattern != "" {
		return " called " + pattern
	}
	return ""
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
	if s.Provider.Name != "openfaas" {
		return s, fmt.Errorf(`provider.name is %q, want "openfaas"`, s.Provider.Name)
	}
	if s.Version != "" && s.Version != "1.0" {
		return s, fmt.Errorf("version is %s, want 1.0", s.Version)
	}
	return s, nil
}

// extras finds what is to be copied into functions.
func extras(roots, names []string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range names {
		if !filepath.IsLocal(name) || filepath.Clean(name) == "." {
			return nil, fmt.Errorf("copy %s: want something below the stack file's folder", name)
		}
		from := find(roots, name)
		if _, err := os.Stat(from); err != nil {
			return nil, fmt.Errorf("copy %s: %w", name, err)
		}
		found[filepath.Clean(name)] = from
	}
	return found, nil
}

func (s stackFunction) function(roots []string, name string, o StackOptions) (Function, error) {
	f := Function{Name: name, Lang: s.Lang, Image: s.Image, SkipBuild: s.SkipBuild, BuildArgs: s.BuildArgs, Withheld: slices.Sorted(maps.Keys(s.BuildSecrets))}
	if !s.SkipBuild {
		if s.Lang == "" || s.Handler == "" {
			return f, errors.New("lang and handler are needed to build it")
		}
		f.Handler, f.Template = find(roots, s.Handler), find(roots, filepath.Join("template", s.Lang))
		if o.Templates != "" {
			f.Template = filepath.Join(o.Templates, s.Lang)
		}
		if err := checkFolder(f.Handler); err != nil {
			return f, fmt.Errorf("its handler: %w", err)
		}
		if err := checkTemplate(f.Template, slices.Concat(s.BuildOptions, o.Options)); err != nil {
			return f, err
		}
	}
	env := map[string]string{}
	maps.Copy(env, s.Environment)
	for _, file := range s.EnvironmentFile { // a file comes before what the stack file says
		file = find(roots, file)
		more, err := readEnvironment(file)
		if err != nil {
			return f, err
		}
		maps.Copy(env, more)
		f.Described = append(f.Described, file)
	}
	f.Deployment = types.FunctionDeployment{
		Service: name, Image: s.Image, EnvProcess: s.FProcess, EnvVars: env, Secrets: s.Secrets, Constraints: s.Constraints, Namespace: s.Namespace,
		Limits: s.Limits, Requests: s.Requests, ReadOnlyRootFilesystem: s.ReadOnly, Labels: pointer(s.Labels), Annotations: pointer(s.Annotations),
	}
	return f, nil
}

// checkTemplate tells whether there is a template, and whether it has the build
// options that are asked for. What those install where Docker builds must be on
// this machine already.
func checkTemplate(dir string, options []string) error {
	data, err := os.ReadFile(filepath.Join(dir, "template.yml"))
	if err != nil {
		return fmt.Errorf("there is no template %s: %w: faas-cli template pull fetches templates, --templates names a folder of them", filepath.Base(dir), err)
	}
	var template struct {
		Options []struct {
			Name string `yaml:"name"`
		} `yaml:"build_options"`
	}
	if err := yaml.Unmarshal(data, &template); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(dir, "template.yml"), err)
	}
	var known []string
	for _, o := range template.Options {
		known = append(known, o.Name)
	}
	for _, name := range options {
		if !slices.Contains(known, name) {
			return fmt.Errorf("template %s has no build option %s (it has: %s)", filepath.Base(dir), name, strings.Join(known, ", "))
		}
	}
	return nil
}

func pointer(m map[string]string) *map[string]string {
	if m == nil {
		return nil
	}
	return &m
}

// readEnvironment reads a file whose member environment holds variables.
func readEnvironment(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read environment_file: %w", err)
	}
	var in struct {
		Environment map[string]string `yaml:"environment"`
	}
	if err := yaml.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("read environment_file %s: %w", file, err)
	}
	return in.Environment, nil
}
