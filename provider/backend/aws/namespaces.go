package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// Namespaces other than the default one are parameters of SSM in the provider's
// own account, so that all its replicas have the same ones. The configuration
// may name more, which are always there.

// namespacePath is what the parameters' names begin with.
const namespacePath = "/faas-lambda/namespaces/"

// namespaceFreshness is how long namespaces are remembered. Changes by this
// process are seen at once, and one that is asked for and not known is looked
// for after namespacePatience.
const (
	namespaceFreshness = 30 * time.Second
	namespacePatience  = time.Second
)

// Annotations of a namespace: where its functions are.
const (
	namespaceAssume = annotations.Prefix + "role-arn" // of the role to act in
	namespaceRegion = annotations.Prefix + "region"
	namespaceRole   = annotations.Prefix + "role" // that functions run as
)

// namespaceName is what Kubernetes, and so OpenFaaS, allows.
var (
	namespaceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	regionName    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// namespaces are those that SSM had lately.
type namespaces struct {
	hold chan struct{} // holds one value while SSM is asked
	mu   sync.Mutex    // guards the rest
	all  map[string]types.FunctionNamespace
	at   time.Time
}

var (
	_ backend.Namespacer      = (*Backend)(nil)
	_ backend.NamespaceKeeper = (*Backend)(nil)
)

// known returns the namespaces of SSM if they are no older than age.
func (n *namespaces) known(age time.Duration) (map[string]types.FunctionNamespace, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all, n.all != nil && time.Since(n.at) <= age
}

// stored returns the namespaces of SSM, which must not be changed. Where SSM may
// not be read there are none.
func (b *Backend) stored(ctx context.Context, age time.Duration) (map[string]types.FunctionNamespace, error) {
	if all, ok := b.spaces.known(age); ok {
		return all, nil
	}
	select {
	case b.spaces.hold <- struct{}{}:
		defer func() { <-b.spaces.hold }()
	case <-ctx.Done():
		return nil, awserr.Wrap("list namespaces", ctx.Err())
	}
	if all, ok := b.spaces.known(age); ok { // read while we waited
		return all, nil
	}
	all := map[string]types.FunctionNamespace{}
	pages := ssm.NewGetParametersByPathPaginator(b.ssm, &ssm.GetParametersByPathInput{Path: aws.String(strings.TrimSuffix(namespacePath, "/"))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if noIndex[awserr.Code(err)] {
			b.log.Warn("namespaces other than the default one are not available: ssm:GetParametersByPath was refused", "error", err)
			break
		}
		if err != nil {
			return nil, awserr.Wrap("list namespaces", err)
		}
		for _, p := range page.Parameters {
			name := strings.TrimPrefix(aws.ToString(p.Name), namespacePath)
			ns, err := decodeNamespace(name, aws.ToString(p.Value))
			if err != nil {
				b.log.Error("read namespace", "namespace", name, "error", err)
				continue
			}
			all[name] = ns
		}
	}
	b.spaces.mu.Lock()
	defer b.spaces.mu.Unlock()
	b.spaces.all, b.spaces.at = all, time.Now()
	return all, nil
}

func (b *Backend) forgetNamespaces() {
	b.spaces.mu.Lock()
	defer b.spaces.mu.Unlock()
	b.spaces.all = nil
}

// storedNamespace is a namespace in its parameter.
type storedNamespace struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func decodeNamespace(name, value string) (types.FunctionNamespace, error) {
	var in storedNamespace
	if err := json.Unmarshal([]byte(value), &in); err != nil {
		return types.FunctionNamespace{}, fmt.Errorf("decode parameter %s%s: %w", namespacePath, name, err)
	}
	return types.FunctionNamespace{Name: name, Labels: in.Labels, Annotations: in.Annotations}, nil
}

// Namespaces implements backend.Namespacer: the default one is first.
func (b *Backend) Namespaces(ctx context.Context) ([]string, error) {
	all, err := b.stored(ctx, namespaceFreshness)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range all {
		names[name] = true
	}
	for name := range b.opts.Accounts {
		names[name] = true
	}
	delete(names, b.opts.Namespace)
	return append([]string{b.opts.Namespace}, slices.Sorted(maps.Keys(names))...), nil
}

// Namespace implements backend.NamespaceKeeper.
func (b *Backend) Namespace(ctx context.Context, name string) (types.FunctionNamespace, error) {
	age := namespaceFreshness
	for {
		all, err := b.stored(ctx, age)
		if err != nil {
			return types.FunctionNamespace{}, err
		}
		if ns, ok := all[name]; ok {
			return ns, nil
		}
		if _, configured := b.opts.Accounts[name]; configured || name == b.opts.Namespace {
			return types.FunctionNamespace{Name: name}, nil
		}
		if age == namespacePatience {
			return types.FunctionNamespace{}, backend.Errorf(backend.ErrNotFound, "namespace %s not found", name)
		}
		age = namespacePatience // another provider may just have made it
	}
}

// accountOf returns where the functions of a namespace are; ErrNotFound when
// there is no such namespace.
func (b *Backend) accountOf(ctx context.Context, namespace string) (*account, error) {
	if namespace == b.opts.Namespace {
		return b.home, nil
	}
	ns, err := b.Namespace(ctx, namespace)
	if err != nil {
		return nil, err
	}
	return b.accounts.get(b.config, b.place(ns), b.opts), nil
}

// place is where the functions of a namespace are: its annotations say so, else
// the configuration, else they are where those of the default one are.
func (b *Backend) place(ns types.FunctionNamespace) AccountOptions {
	key, ok := b.opts.Accounts[ns.Name]
	if !ok {
		key = b.opts.Accounts[b.opts.Namespace]
	}
	for annotation, to := range map[string]*string{namespaceAssume: &key.AssumeRole, namespaceRegion: &key.Region, namespaceRole: &key.Role} {
		if value := ns.Annotations[annotation]; value != "" {
			*to = value
		}
	}
	return key
}
