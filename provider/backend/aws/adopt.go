package aws

import (
	"path"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
)

// adoptedAnnotation tells readers of a status that the function is somebody
// else's.
const adoptedAnnotation = annotations.Prefix + "adopted"

// adopts tells whether a function that somebody else made is served: its owner
// put the tag on it, or its name fits the pattern.
func (b *Backend) adopts(function string, tags map[string]string) bool {
	if value, ok := tags[tagAdopt]; ok {
		return value != "false"
	}
	if b.opts.AdoptPattern == "" {
		return false
	}
	fits, err := path.Match(b.opts.AdoptPattern, function)
	return err == nil && fits
}

// foreign is why nothing is changed about a function.
func foreign(doing string, f *found) error {
	return backend.Errorf(backend.ErrConflict, "%s: Lambda function %s was made by another tool and is adopted: it can be invoked, and is never changed or deleted: change it with the tool that made it", doing, f.function())
}

// foreignStatus describes an adopted function by what Lambda knows of it, but
// for its variables, which its owner did not give to OpenFaaS to show.
func (f *found) foreignStatus() types.FunctionStatus {
	c := f.config
	image := f.image
	if image == "" {
		image = string(c.Runtime)
	}
	d := types.FunctionDeployment{
		Service: f.name.Function, Namespace: f.name.Namespace, Image: image,
		Annotations: &map[string]string{adoptedAnnotation: "true", annotations.Prefix + "handler": aws.ToString(c.Handler), annotations.Prefix + "description": aws.ToString(c.Description)},
		Limits:      &types.FunctionResources{Memory: strconv.Itoa(int(aws.ToInt32(c.MemorySize))) + "Mi"},
	}
	labels := map[string]string{}
	for key, value := range f.tags {
		labels[key] = value
	}
	d.Labels = &labels
	status := backend.StatusOf(d)
	status.Replicas = 1
	if c.State != lambdatypes.StatePending && c.State != lambdatypes.StateFailed {
		status.AvailableReplicas = 1
	}
	// Lambda does not tell when a function was made.
	if changed, err := time.Parse(lastModified, aws.ToString(c.LastModified)); err == nil {
		status.CreatedAt = changed
	}
	return status
}
