package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	node "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	pod "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// controlPlane is a Kubernetes on loopback.
type controlPlane struct {
	dir        string
	kubeconfig string
	processes  []*process
	objects    dynamic.Interface
	discovery  discovery.DiscoveryInterface
}

// startUpTime is how long all of it may take to be ready on a busy machine.
const startUpTime = 4 * time.Minute

// startControlPlane starts everything. The caller stops it, also after an error.
func startControlPlane(ctx context.Context, dir string) (*controlPlane, error) {
	ctx, cancel := context.WithTimeout(ctx, startUpTime)
	defer cancel()
	c := &controlPlane{dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig")}
	ports, err := freePorts(3)
	if err != nil {
		return c, err
	}
	keys, err := writeKeys(dir)
	if err != nil {
		return c, err
	}
	server := "https://127.0.0.1:" + ports[2]
	if err := writeKubeconfig(c.kubeconfig, server, keys); err != nil {
		return c, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return c, err
	}
	config.QPS, config.Burst = 200, 400
	if err := c.connect(config); err != nil {
		return c, err
	}
	etcd := "http://127.0.0.1:" + ports[0]
	if _, err := c.run("etcd", "--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls=http://127.0.0.1:"+ports[1], "--unsafe-no-fsync"); err != nil {
		return c, err
	}
	api, err := c.run("kube-apiserver", "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+ports[2], "--endpoint-reconciler-type=none",
		"--tls-cert-file="+keys.certificate, "--tls-private-key-file="+keys.key, "--token-auth-file="+keys.tokens, "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+keys.key, "--service-account-signing-key-file="+keys.key,
		"--service-cluster-ip-range=10.96.0.0/16")
	if err != nil {
		return c, err
	}
	if err := api.waitFor(ctx, c.apiReady); err != nil {
		return c, err
	}
	if err := c.runOthers(keys); err != nil {
		return c, err
	}
	return c, c.addNodes(ctx)
}

func (c *controlPlane) connect(config *rest.Config) (err error) {
	if c.objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	c.discovery, err = discovery.NewDiscoveryClientForConfig(config)
	return err
}

func (c *controlPlane) run(name string, args ...string) (*process, error) {
	p, err := start(c.dir, name, args...)
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return p, err
}

// runOthers starts what works on the API server's objects.
func (c *controlPlane) runOthers(k keys) error {
	// How nodes and pods become ready and go: kwok's own, the quick ones.
	stages := filepath.Join(c.dir, "stages.yaml")
	text := strings.Join([]string{node.DefaultNodeInit, pod.DefaultPodReady, pod.DefaultPodComplete, pod.DefaultPodDelete}, "\n---\n")
	if err := os.WriteFile(stages, []byte(text), 0o600); err != nil {
		return err
	}
	for name, args := range map[string][]string{
		// Nodes that report seldom are well.
		"kube-controller-manager": {"--leader-elect=false", "--secure-port=0", "--node-monitor-grace-period=1h",
			"--service-account-private-key-file=" + k.key, "--root-ca-file=" + k.certificate},
		"kube-scheduler": {"--leader-elect=false", "--secure-port=0"},
		"kwok":           {"--manage-all-nodes=true", "--config=" + stages},
	} {
		if _, err := c.run(name, append(args, "--kubeconfig="+c.kubeconfig)...); err != nil {
			return err
		}
	}
	return nil
}

func (c *controlPlane) apiReady(ctx context.Context) error {
	_, err := c.discovery.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// addNodes makes nodes in three zones for kwok to play.
func (c *controlPlane) addNodes(ctx context.Context) error {
	for i := range 3 {
		room := map[string]any{"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi"}
		name := fmt.Sprint("node-", i)
		made := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": name, "labels": map[string]any{
				"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": fmt.Sprint("zone-", i), "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
			}},
			"status": map[string]any{"allocatable": room, "capacity": room},
		}}
		if _, err := c.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}).Create(ctx, made, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("make node %s: %w", name, err)
		}
	}
	return nil
}

// stop ends all programs, last first, and says what they printed when told to.
func (c *controlPlane) stop(tell bool) error {
	var errs []error
	for i := len(c.processes) - 1; i >= 0; i-- {
		p := c.processes[i]
		select {
		case <-p.ended:
			errs = append(errs, fmt.Errorf("%s ended by itself: %w\n%s", p.name, p.err, p.tail()))
		default:
			p.stop()
		}
		if tell {
			fmt.Fprintln(os.Stderr, p.tail())
		}
	}
	return errors.Join(errs...)
}
