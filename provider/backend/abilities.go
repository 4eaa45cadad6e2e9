package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/openfaas/faas-provider/logs"
	"github.com/openfaas/faas-provider/types"
)

// Scaler is the ability to change the number of replicas; ErrNotFound when
// there is no such function.
type Scaler interface {
	Scale(ctx context.Context, name Name, replicas uint64) error
}

// Namespacer is the ability to have more namespaces than the default one. It is
// asked at every request that names a namespace, and answers at once.
type Namespacer interface {
	Namespaces(ctx context.Context) ([]string, error)
}

// NamespaceKeeper is the ability to read and change namespaces: ErrNotFound,
// ErrExists, and ErrConflict for one that may not be removed, because functions
// are in it or because it is the default one.
type NamespaceKeeper interface {
	Namespace(ctx context.Context, name string) (types.FunctionNamespace, error)
	CreateNamespace(ctx context.Context, ns types.FunctionNamespace) error
	UpdateNamespace(ctx context.Context, ns types.FunctionNamespace) error
	DeleteNamespace(ctx context.Context, name string) error
}

// SecretKeeper is the ability to keep secrets for functions. The Namespace of a
// secret is always set; of Value and RawValue the latter counts when it is there.
type SecretKeeper interface {
	// Secrets returns names and namespaces, ordered by name, and never values.
	Secrets(ctx context.Context, namespace string) ([]types.Secret, error)
	CreateSecret(ctx context.Context, s types.Secret) error // ErrExists
	UpdateSecret(ctx context.Context, s types.Secret) error // ErrNotFound
	DeleteSecret(ctx context.Context, namespace, name string) error
}

// Logger is the ability to read what functions printed. The channel ends when
// everything asked for was sent, or when ctx ends; ErrNotFound for a function
// that does not exist. Messages of one instance keep their order. It is
// faas-provider's logs.Requester.
type Logger interface {
	Query(ctx context.Context, r logs.Request) (<-chan logs.Message, error)
}

// Meter is the ability to say what a function uses, for a status asked with
// usage=true.
type Meter interface {
	Usage(ctx context.Context, name Name) (types.FunctionUsage, error)
}

// Describer is the ability to say what the backend is, for /system/info.
type Describer interface {
	// Orchestration is a word such as "lambda".
	Orchestration() string
}

// Checker is the ability to say whether what lies behind the backend can be
// reached, for /readyz. It answers within the second or so that a probe waits,
// and is asked every few seconds: implementations remember.
type Checker interface {
	Check(ctx context.Context) error
}

// Completer is the ability to add to what a List could not tell, in the
// answer's headers: which parts of a federation are missing from it.
type Completer interface {
	// ListPartly is List with what has to be known about the list.
	ListPartly(ctx context.Context, namespace string) ([]types.FunctionStatus, Gaps, error)
}

// Gaps is what is wrong with a list that is correct otherwise.
type Gaps struct {
	Missing    map[string]string   // parts that could not be asked: a reason by the part's name
	Duplicates map[string][]string // functions found in more than one part: the parts, the one that counts first
}

// Composer is the ability to say what a backend is made of, for /system/info.
// It answers from what is known already.
type Composer interface {
	Parts() []Part
}

// Part is one of the backends that another one is made of.
type Part struct {
	Name          string `json:"name"`
	Orchestration string `json:"orchestration"`
	State         string `json:"state"` // "up", or why it is not
	Functions     int    `json:"functions"`
}

// Accountant is the ability to count what a function consumed since a time, in
// the units that its platform bills. It may lag behind by some minutes.
// ErrNotFound when there is no such function.
type Accountant interface {
	Consumption(ctx context.Context, name Name, since time.Time) (Consumption, error)
}

// Consumption is what a platform bills. Its units are those of Lambda's price
// list (aws.amazon.com/lambda/pricing): requests, and seconds of run time times
// gigabytes of configured memory.
type Consumption struct {
	Requests  uint64  `json:"requests"`
	GBSeconds float64 `json:"gbSeconds"`
}

// AsyncHeader is a header that, with the value "Event", asks for an invocation whose answer
// nobody waits for: Invoke returns 202 as soon as the platform has taken it. The
// name is that of Lambda's own API (Invoke, X-Amz-Invocation-Type) without the
// vendor's prefix.
const AsyncHeader = "X-Invocation-Type"

// Async tells whether r asks for that.
func Async(r *http.Request) bool { return r.Header.Get(AsyncHeader) == "Event" }

// Uncallable is what a platform without a queue that calls back answers to an
// asynchronous invocation whose caller wants that; nil for every other. An
// OpenFaaS gateway, which does call back, leaves the header in what comes out of
// its queue, but waits for the answer.
func Uncallable(r *http.Request) error {
	if !Async(r) || r.Header.Get("X-Callback-Url") == "" {
		return nil
	}
	return Errorf(ErrUnsupported, "X-Callback-Url is not supported: nobody here waits for the answer of an asynchronous invocation; the queue of an OpenFaaS gateway does")
}

// MissingHeader names, once for each, what an answer over HTTP should hold and
// does not, and why: a part of a federation that does not answer, the usage of a
// function.
const MissingHeader = "X-Faas-Lambda-Missing"

// DuplicateHeader names, once for each, a function that is in several parts of a
// federation and should be in one; the part that counts is the first.
const DuplicateHeader = "X-Faas-Lambda-Duplicate"

// ConsumptionQuery is the query with which a function's status is asked to hold
// what it consumed since a time (RFC 3339). Providers of ours know it.
const ConsumptionQuery = "consumption"

// ServedByHeader names, in an answer to an invocation, the part of a federation
// that answered; of federations within federations one after the other, with
// slashes between.
const ServedByHeader = "X-Faas-Lambda-Served-By"
