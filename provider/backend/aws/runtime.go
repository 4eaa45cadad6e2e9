package aws

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// takeRuntime puts into a plan what an image says that runs in one of Lambda's
// runtimes, without bootstrap: its variables are the function's own.
func (p *plan) takeRuntime(pkg packaging.Package) error {
	if pkg.Runtime == "" {
		return nil
	}
	if len(p.deployment.Secrets) > 0 {
		return backend.Errorf(backend.ErrInvalid, "function %s has secrets, and its image runs in Lambda's runtime %s, where nothing fetches them: start the image by a watchdog", p.name, pkg.Runtime)
	}
	for _, kv := range pkg.Env {
		name, value, _ := strings.Cut(kv, "=")
		if _, set := p.env[name]; !set {
			p.env[name] = value
		}
	}
	return nil
}

// native tells whether a function of ours runs without bootstrap: it knows
// nothing of our envelope.
func native(config lambdatypes.FunctionConfiguration) bool {
	if config.PackageType == lambdatypes.PackageTypeImage || config.Runtime == "" {
		return false
	}
	return config.Runtime != lambdatypes.RuntimeProvidedal2023 || aws.ToString(config.Handler) != "bootstrap"
}
