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

// SecretValue returns the bytes of a secret: RawValue when it is there, because
// clients trim Value and cannot put binary data into it.
func SecretValue(s types.Secret) []byte {
	if len(s.RawValue) > 0 {
		return s.RawValue
	}
	return []byte(s.Value)
}

// DeploymentOf returns the deployment that a status was made from, as far as it
// tells: all of it but a label "faas_function" that was deployed, which every
// function has.
func DeploymentOf(s types.FunctionStatus) types.FunctionDeployment {
	d := types.FunctionDeployment{
		Service: s.Name, Namespace: s.Namespace, Image: s.Image, EnvProcess: s.EnvProcess, EnvVars: s.EnvVars,
		Constraints: s.Constraints, Secrets: s.Secrets, Limits: s.Limits, Requests: s.Requests,
		ReadOnlyRootFilesystem: s.ReadOnlyRootFilesystem,
	}
	if s.Labels != nil && len(*s.Labels) > 0 {
		labels := maps.Clone(*s.Labels)
		delete(labels, FunctionLabel)
		d.Labels = &labels
	}
	if s.Annotations != nil && len(*s.Annotations) > 0 {
		annotations := maps.Clone(*s.Annotations)
		d.Annotations = &annotations
	}
	return d
}
