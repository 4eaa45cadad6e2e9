package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestPodsAreSpread looks where the scheduler puts the replicas.
func TestPodsAreSpread(t *testing.T) {
	r := newRelease(t, "spread")
	r.must(append([]string{"install", r.name, chart}, r.with("replicas: 3\n"+strings.TrimPrefix(variants[0].values, ""))...)...)
	pods, err := kubernetes.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(r.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]int{}
	for _, p := range pods.Items {
		nodes[fmt.Sprint(field(p.Object, "spec.nodeName"))]++
	}
	if len(nodes) != 3 || len(pods.Items) != 3 {
		t.Errorf("three replicas are on %v", nodes)
	}
	r.must(append([]string{"uninstall", r.name}, wait...)...)
}

// TestTheRestrictedProfileIsEnforced: the namespaces that the chart's pods run in
// refuse a pod that says nothing of its security, so what they take fits.
func TestTheRestrictedProfileIsEnforced(t *testing.T) {
	r := newRelease(t, "restricted")
	pod := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "careless"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "a", "image": "a"}}},
	}}
	_, err := kubernetes.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(r.namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "violates PodSecurity \"restricted") {
		t.Errorf("a careless pod: %v", err)
	}
}

// TestPlainYAML applies what is for those without Helm, and every field of it is
// one that Kubernetes knows.
func TestPlainYAML(t *testing.T) {
	files, err := filepath.Glob("../../chart/yaml/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	newRelease(t, "openfaas")
	for _, file := range files {
		if strings.HasSuffix(file, "-values.yaml") {
			continue // what it is made from
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range all {
				resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
				at := kubernetes.objects.Resource(resource).Namespace(object.GetNamespace())
				if _, err := at.Create(t.Context(), &object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
					t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
					continue
				}
				t.Cleanup(func() { _ = at.Delete(context.WithoutCancel(t.Context()), object.GetName(), metav1.DeleteOptions{}) })
				if object.GetKind() != "Deployment" {
					continue
				}
				eventually(t, "replicas of "+file+" that are ready", func() error {
					got, err := at.Get(t.Context(), object.GetName(), metav1.GetOptions{})
					if err == nil && fmt.Sprint(field(got.Object, "status.readyReplicas")) != fmt.Sprint(field(object.Object, "spec.replicas")) {
						err = fmt.Errorf("it has %v", field(got.Object, "status"))
					}
					return err
				})
			}
		})
	}
}
