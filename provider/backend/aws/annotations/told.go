package annotations

import (
	"maps"

	"github.com/openfaas/faas-provider/types"
)

// toldAnnotations are those by which the provider says what it chose. A
// deployment that has them, because it was copied from what describe showed,
// does not mean them.
var toldAnnotations = []string{toldType, toldReason}

const (
	toldType   = "package-type"
	toldReason = "package-reason"
)

// Untold returns a deployment without what Tell adds.
func Untold(d types.FunctionDeployment) types.FunctionDeployment {
	if d.Annotations == nil {
		return d
	}
	all := maps.Clone(*d.Annotations)
	for _, key := range toldAnnotations {
		delete(all, Prefix+key)
	}
	if len(all) != len(*d.Annotations) {
		d.Annotations = &all
	}
	return d
}

// Tell returns a deployment as it is shown where the provider chose the type of its
// package: with that, and why.
func Tell(d types.FunctionDeployment, packageType, reason string) types.FunctionDeployment {
	all := map[string]string{}
	if d.Annotations != nil {
		maps.Copy(all, *d.Annotations)
	}
	all[Prefix+toldType], all[Prefix+toldReason] = packageType, reason
	d.Annotations = &all
	return d
}
