// Package backend is the contract between OpenFaaS' HTTP interface
// (provider/api) and whatever runs the functions: Lambda, memory, another
// provider. It holds interfaces, the errors they return and nothing that talks
// to anything. The types of what is deployed are faas-provider's own.
//
// Backend is what every implementation can do. Everything else is an ability:
// an interface of one method that an implementation has or has not, found by
// type assertion, so that no method ever answers "not implemented".
package backend

import (
	"context"
	"net/http"

	"github.com/openfaas/faas-provider/types"
)

// Name names one function. Both parts are always set: which namespace is the
// default one is settled before a backend is called.
type Name struct {
	Namespace string
	Function  string
}

// String returns function.namespace, the form that invocations use.
func (n Name) String() string { return n.Function + "." + n.Namespace }

// NameOf returns the name under which a deployment asks to be known.
func NameOf(d types.FunctionDeployment) Name {
	return Name{Namespace: d.Namespace, Function: d.Service}
}

// Backend runs functions. All methods may be called concurrently.
type Backend interface {
	Deployer
	Reader
	Invoker
}

// Deployer changes which functions there are. When a method returns nil the
// change is complete: the function is ready to be invoked, or gone. When it
// returns an error, what was there before is still there.
type Deployer interface {
	// Deploy creates the function, or replaces it when it exists: faas-cli
	// deploys with POST whether or not the function is new.
	Deploy(ctx context.Context, d types.FunctionDeployment) error
	// Update replaces the function; ErrNotFound when there is none.
	Update(ctx context.Context, d types.FunctionDeployment) error
	// Delete removes the function; ErrNotFound when there is none.
	Delete(ctx context.Context, name Name) error
}

// Reader tells which functions there are. What was deployed comes back exactly
// as it was deployed; Labels and Annotations are never nil, and the label
// "faas_function" is the function's name.
type Reader interface {
	// List returns the functions of a namespace, ordered by name. The slice
	// may be nil.
	List(ctx context.Context, namespace string) ([]types.FunctionStatus, error)
	// Status returns one function; ErrNotFound when there is none.
	Status(ctx context.Context, name Name) (types.FunctionStatus, error)
}

// Invoker invokes functions.
type Invoker interface {
	// Invoke sends r to the function and returns its answer as soon as its
	// status and headers are known. r is a server's request whose URL, from
	// Path and RawPath to RawQuery, is the one the function shall see. The
	// body of the answer streams; the caller closes it. An error after the
	// answer began comes from reading that body. When ctx ends, the
	// invocation is abandoned.
	Invoke(ctx context.Context, name Name, r *http.Request) (*http.Response, error)
}
