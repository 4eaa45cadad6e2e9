package cluster

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// TestLifecycle installs, upgrades, rolls back and uninstalls the chart, waiting
// each time until Kubernetes has done it.
func TestLifecycle(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			r := newRelease(t, v.name)
			r.claim("packages")
			before, err := r.everything()
			if err != nil {
				t.Fatal(err)
			}
			if notes := r.must(append([]string{"install", r.name, chart}, r.with(v.values)...)...); !strings.Contains(notes, v.notes) {
				t.Errorf("the notes do not say %q:\n%s", v.notes, notes)
			}
			r.check("installed", v.want)
			first := r.must("get", "manifest", r.name)
			least := r.leastReady(func() {
				r.must(append([]string{"upgrade", r.name, chart}, r.with(v.changed)...)...)
				r.check("upgraded", v.then)
				r.must(append([]string{"rollback", r.name, "1"}, wait...)...)
				r.check("rolled back", v.want)
			})
			// A deployment whose replicas an autoscaler counts begins with one.
			if least < 2 && !strings.Contains(v.values, "autoscaling") {
				t.Errorf("at one time %d replicas were ready", least)
			}
			if again := r.must("get", "manifest", r.name); again != first {
				t.Errorf("rolled back it is\n%s\nand was\n%s", again, first)
			}
			r.must(append([]string{"uninstall", r.name}, wait...)...)
			eventually(t, "an empty namespace", func() error {
				after, err := r.everything()
				if err == nil && !maps.Equal(after, before) {
					err = fmt.Errorf("there is %v, there was %v", after, before)
				}
				return err
			})
		})
	}
}

// leastReady returns how many replicas were ready at the worst time of what do
// does.
func (r *release) leastReady(do func()) int64 {
	r.t.Helper()
	deployments := schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	watch, err := kubernetes.objects.Resource(deployments).Namespace(r.namespace).Watch(r.t.Context(), metav1.ListOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	seen, least := make(chan struct{}), int64(math.MaxInt64)
	go func() {
		defer close(seen)
		for event := range watch.ResultChan() {
			if object, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != "DELETED" {
				ready, _, _ := unstructured.NestedInt64(object.Object, "status", "readyReplicas")
				least = min(least, ready)
			}
		}
	}()
	do()
	watch.Stop()
	<-seen
	return least
}

// claim makes a claim of a volume, as an administrator does.
func (r *release) claim(name string) {
	r.t.Helper()
	claims := schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	volumes := schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
	objects, err := parse(fmt.Appendf(nil, `
{apiVersion: v1, kind: PersistentVolume, metadata: {name: %[1]s-%[2]s}, spec: {capacity: {storage: 10Gi}, accessModes: [ReadWriteMany],
  storageClassName: "", hostPath: {path: /packages}, claimRef: {namespace: %[2]s, name: %[1]s}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %[1]s}, spec: {accessModes: [ReadWriteMany], storageClassName: "", volumeName: %[1]s-%[2]s, resources: {requests: {storage: 10Gi}}}}
`, name, r.namespace))
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := kubernetes.objects.Resource(volumes).Create(r.t.Context(), &objects[0], metav1.CreateOptions{}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := kubernetes.objects.Resource(claims).Namespace(r.namespace).Create(r.t.Context(), &objects[1], metav1.CreateOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// check compares what the API server has with what the chart wrote, and with
// what is wanted.
func (r *release) check(when string, want map[string]string) {
	r.t.Helper()
	all, err := r.stored()
	if err != nil {
		r.t.Errorf("%s: %v", when, err)
	}
	for where, value := range want {
		parts := strings.Fields(where)
		object, ok := all[parts[0]]
		if !ok {
			r.t.Errorf("%s: there is no %s", when, parts[0])
			continue
		}
		var got any
		if parts[1] == "env" {
			got = environment(object)[parts[2]]
		} else {
			got = field(object, parts[1])
		}
		holds := fmt.Sprint(got) == value
		if parts[len(parts)-1] == "~" {
			holds = strings.Contains(fmt.Sprint(got), value)
		}
		if !holds {
			r.t.Errorf("%s: %s is %v, want %s", when, where, got, value)
		}
	}
}

// environment returns the variables of a deployment's container; one out of a
// Secret is SECRET/KEY.
func environment(deployment map[string]any) map[string]any {
	out := map[string]any{}
	variables, _ := field(deployment, "spec.template.spec.containers.0.env").([]any)
	for _, v := range variables {
		name := fmt.Sprint(field(v, "name"))
		out[name] = field(v, "value")
		if secret := field(v, "valueFrom.secretKeyRef.name"); secret != nil {
			out[name] = fmt.Sprintf("%v/%v", secret, field(v, "valueFrom.secretKeyRef.key"))
		}
	}
	return out
}
