package backend

import (
	"maps"
	"strconv"

	"github.com/openfaas/faas-provider/types"
)

// FunctionLabel is the label that every function has: its name.
const FunctionLabel = "faas_function"

// MinReplicasLabel is how OpenFaaS' users say how many replicas a function
// always has.
const MinReplicasLabel = "com.openfaas.scale.min"

// StatusOf returns a deployment as clients read it back: as it was deployed,
// with labels and annotations that are not nil and FunctionLabel among the
// labels. What is not known from the deployment is left zero.
func StatusOf(d types.FunctionDeployment) types.FunctionStatus {
	labels, annotations := map[string]string{}, map[string]string{}
	if d.Labels != nil {
		maps.Copy(labels, *d.Labels)
	}
	labels[FunctionLabel] = d.Service
	if d.Annotations != nil {
		maps.Copy(annotations, *d.Annotations)
	}
	return types.FunctionStatus{
		Name: d.Service, Namespace: d.Namespace, Image: d.Image,
		EnvProcess: d.EnvProcess, EnvVars: d.EnvVars,
		Constraints: d.Constraints, Secrets: d.Secrets,
		Labels: &labels, Annotations: &annotations,
		Limits: d.Limits, Requests: d.Requests,
		ReadOnlyRootFilesystem: d.ReadOnlyRootFilesystem,
	}
}

// MinReplicas returns how many replicas a function has right after it was
// deployed: its MinReplicasLabel, or one. Never zero, because a gateway asks
// for a scale-up before each invocation of a function that has none.
func MinReplicas(d types.FunctionDeployment) uint64 {
	if d.Labels != nil {
		if n, err := strconv.ParseUint((*d.Labels)[MinReplicasLabel], 10, 16); err == nil && n > 0 {
			return n
		}
	}
	return 1
}
