package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// functionName is Lambda's own pattern for a name without ARN, where AWS itself
// answers with a page of regular expression.
var functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)

// maxFunctionName is Lambda's limit in characters (CreateFunction, FunctionName).
const maxFunctionName = 64

func (b *Backend) lambdaName(name backend.Name) (string, error) {
	return LambdaName(name, b.opts.Namespace)
}

// LambdaName returns how a function is called in Lambda. Functions of the
// default namespace have their own name, those of others NAMESPACE_NAME, which
// ends in a hash where it would be too long. The function's tags say which one
// it is.
func LambdaName(name backend.Name, defaultNamespace string) (string, error) {
	switch {
	case len(name.Function) > maxFunctionName:
		return "", backend.Errorf(backend.ErrInvalid, "function name %s has %d characters, Lambda takes at most %d", name.Function, len(name.Function), maxFunctionName)
	case strings.Contains(name.Function, "."):
		return "", backend.Errorf(backend.ErrInvalid, "function name %s: Lambda takes no dots in a name", name.Function)
	case !functionName.MatchString(name.Function):
		return "", backend.Errorf(backend.ErrInvalid, "function name %q: Lambda takes letters, digits, - and _", name.Function)
	case name.Namespace == defaultNamespace:
		return name.Function, nil
	}
	long := name.Namespace + "_" + name.Function
	if len(long) <= maxFunctionName {
		return long, nil
	}
	sum := sha256.Sum256([]byte(long))
	hash := "_" + hex.EncodeToString(sum[:8])
	return long[:maxFunctionName-len(hash)] + hash, nil
}
