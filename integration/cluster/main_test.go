package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kubernetes is what all tests share, each in a namespace of its own.
var kubernetes *controlPlane

func TestMain(m *testing.M) {
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		code = 1
	}
	os.Exit(code)
}

func setUp(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "faas-lambda-cluster-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	kubernetes, err = startControlPlane(context.Background(), dir)
	defer func() { err = errors.Join(err, kubernetes.stop(code != 0)) }()
	if err != nil {
		return 1, err
	}
	if err := kubernetes.install("testdata/crds.yaml"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

var (
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

// release is a Helm release of the chart in a namespace of its own.
type release struct {
	t         *testing.T
	namespace string
	name      string
}

// newRelease makes a namespace, which takes no pods but those of the restricted
// profile, and prepares a release that is not installed.
func newRelease(t *testing.T, namespace string) *release {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
		"name": namespace, "labels": map[string]any{"pod-security.kubernetes.io/enforce": "restricted"},
	}}}
	if _, err := kubernetes.objects.Resource(namespaces).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r := &release{t: t, namespace: namespace, name: "aws"}
	// What a namespace is made with has to be there before it is compared.
	eventually(t, "the default service account of "+namespace, func() error {
		_, err := r.get(schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, "default")
		return err
	})
	return r
}

// helm runs helm and returns what it printed.
func (r *release) helm(args ...string) (string, error) {
	program, err := filepath.Abs("../../bin/tools/helm")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(r.t.Context(), program, append(args, "--namespace", r.namespace)...)
	home := filepath.Join(kubernetes.dir, "helm")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubernetes.kubeconfig, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// must runs helm and fails the test when it fails.
func (r *release) must(args ...string) string {
	r.t.Helper()
	out, err := r.helm(args...)
	if err != nil {
		r.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// chart is the chart's folder.
const chart = "../../chart/faas-lambda"

// wait lets helm wait as long as a busy machine may take.
var wait = []string{"--wait", "--timeout", "5m"}

// with writes values to a file, and returns helm's arguments for it.
func (r *release) with(values string) []string {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return append([]string{"--values", file}, wait...)
}

func (r *release) get(resource schema.GroupVersionResource, name string) (*unstructured.Unstructured, error) {
	return kubernetes.objects.Resource(resource).Namespace(r.namespace).Get(r.t.Context(), name, metav1.GetOptions{})
}

// everything lists all objects of the namespace, but for events and what
// controllers keep for their own sake.
func (r *release) everything() (map[string]bool, error) {
	lists, err := kubernetes.discovery.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if resource.Kind == "Event" || !strings.Contains(resource.Verbs.String(), "list") {
				continue
			}
			all, err := kubernetes.objects.Resource(group.WithResource(resource.Name)).Namespace(r.namespace).List(r.t.Context(), metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", resource.Name, err)
			}
			for _, object := range all.Items {
				found[resource.Kind+" "+object.GetName()] = true
			}
		}
	}
	return found, nil
}
