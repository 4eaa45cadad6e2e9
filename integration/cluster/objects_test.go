package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// parse reads the objects of a file of YAML.
func parse(text []byte) ([]unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var all []unstructured.Unstructured
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("parse YAML: %w", err)
		}
		if len(object) > 0 {
			all = append(all, unstructured.Unstructured{Object: object})
		}
	}
}

// install makes the definitions of a file, and waits until they are served.
func (c *controlPlane) install(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	all, err := parse(text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startUpTime)
	defer cancel()
	for _, object := range all {
		if _, err := c.objects.Resource(definitions).Create(ctx, &object, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("make %s: %w", object.GetName(), err)
		}
		group, version := field(object.Object, "spec.group"), field(object.Object, "spec.versions.0.name")
		resource := schema.GroupVersionResource{Group: fmt.Sprint(group), Version: fmt.Sprint(version), Resource: fmt.Sprint(field(object.Object, "spec.names.plural"))}
		for {
			_, err := c.objects.Resource(resource).List(ctx, metav1.ListOptions{})
			if err == nil {
				break
			}
			if err := sleep(ctx, 100*time.Millisecond); err != nil {
				return fmt.Errorf("%s is not served: %w", resource.Resource, err)
			}
		}
	}
	return nil
}

// sleep waits, as long as ctx lets it.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// field returns what is at a path such as spec.containers.0.image; nil for
// nothing. A part in brackets is a key with dots.
func field(at any, path string) any {
	for path != "" {
		var part string
		if rest, ok := strings.CutPrefix(path, "["); ok {
			part, path, _ = strings.Cut(rest, "]")
			path = strings.TrimPrefix(path, ".")
		} else {
			part, path, _ = strings.Cut(path, ".")
		}
		switch value := at.(type) {
		case map[string]any:
			at = value[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(value) {
				return nil
			}
			at = value[i]
		default:
			return nil
		}
	}
	return at
}

// lacks names the first thing of want that got has not, or has otherwise; empty
// when it has all. An API server adds to what it is given, and must not take
// away from it.
func lacks(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok && len(want) > 0 {
			return fmt.Sprintf("%s is %v, not %v", at, got, want)
		}
		for key, value := range want {
			if problem := lacks(have[key], value, at+"."+key); problem != "" {
				return problem
			}
		}
		return ""
	case []any:
		have, ok := got.([]any)
		if (!ok && len(want) > 0) || len(have) != len(want) {
			return fmt.Sprintf("%s is %v, not %v", at, got, want)
		}
		for i := range want {
			if problem := lacks(have[i], want[i], fmt.Sprint(at, ".", i)); problem != "" {
				return problem
			}
		}
		return ""
	case nil:
		return ""
	}
	if text, ok := want.(string); ok && text == "" && got == nil {
		return ""
	}
	if !reflect.DeepEqual(got, want) && fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("%s is %v, not %v", at, got, want)
	}
	return ""
}

// stored returns the objects of a release as the API server has them, by kind
// and name, and an error for each field that it has not as the chart wrote it.
func (r *release) stored() (map[string]map[string]any, error) {
	written, err := parse([]byte(r.must("get", "manifest", r.name)))
	if err != nil {
		return nil, err
	}
	var errs []error
	all := map[string]map[string]any{}
	for _, object := range written {
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		got, err := r.get(resource, object.GetName())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		name := object.GetKind() + "/" + object.GetName()
		all[name] = got.Object
		if problem := lacks(got.Object, object.Object, name); problem != "" {
			errs = append(errs, errors.New(problem))
		}
	}
	return all, errors.Join(errs...)
}
