// Package cluster tests the Helm chart on a Kubernetes of its own: etcd,
// kube-apiserver, kube-controller-manager and kube-scheduler on loopback, and
// kwok, which plays nodes that run pods without running anything. The programs
// are those that go.mod's tool lines name, built by `make test-cluster` into
// bin/tools. It is a module by itself: nothing else needs Kubernetes' modules.
package cluster
