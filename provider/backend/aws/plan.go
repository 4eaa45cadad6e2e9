package aws

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
)

// plan is what a deployment means on Lambda, once all of it is checked.
type plan struct {
	deployment types.FunctionDeployment
	account    *account
	name       backend.Name
	function   string            // name in Lambda
	arch       string            // amd64 or arm64
	memory     int               // MB
	timeout    time.Duration     // whole seconds
	env        map[string]string // of the Lambda function
	packed     string            // type of its package, once that is made
	reason     string            // why it is of that type, when that was the provider's choice
	added      []string          // names of variables in env that annotations need
	ownRole    bool              // role is one that the provider keeps
	store      string            // of its secrets
	kmsKeys    []string          // that encrypt them

	annotations.Settings // what its annotations say
}

// plan checks everything in d that can be checked without its image.
func (b *Backend) plan(ctx context.Context, d types.FunctionDeployment) (plan, error) {
	p := plan{deployment: annotations.Untold(d), name: backend.NameOf(d)}
	var err error
	if p.account, err = b.accountOf(ctx, d.Namespace); errors.Is(err, backend.ErrNotFound) {
		err = backend.Errorf(backend.ErrInvalid, "deploy function %s: namespace %q does not exist", d.Service, d.Namespace)
	}
	if err != nil {
		return p, err
	}
	if p.function, err = b.lambdaName(p.name); err != nil {
		return p, err
	}
	secrets, keys, err := b.secretVariables(ctx, d.Namespace, d.Secrets)
	if err != nil {
		return p, err
	}
	p.store, p.kmsKeys = b.opts.SecretStore, keys
	if p.env, err = environment(d.EnvVars, d.EnvProcess, secrets); err != nil {
		return p, err
	}
	if p.Settings, err = annotations.Read(d); err != nil {
		return p, err
	}
	p.addVariables()
	if err := b.chooseRole(ctx, &p); err != nil {
		return p, err
	}
	if _, err := belongingsOf(d, p.function, backend.MinReplicas(d)); err != nil {
		return p, err
	}
	if err := checkResources(d); err != nil {
		return p, err
	}
	if p.memory, err = memory(d, b.opts.Memory); err != nil {
		return p, err
	}
	if p.arch, err = architecture(d.Constraints, b.opts.Arch); err != nil {
		return p, err
	}
	// What is wrong with these is known before the image is.
	if p.timeout, err = timeout(d.EnvVars, nil, b.opts.Timeout); err != nil {
		return p, err
	}
	return p, p.recordable()
}

// chooseRole settles what the function runs as.
func (b *Backend) chooseRole(ctx context.Context, p *plan) error {
	if p.Role == "" {
		p.Role = p.account.role
	}
	if p.Role != ManagedRole {
		return nil
	}
	r, err := p.account.roleOf(ctx, p.name, p.function)
	if err != nil {
		return err
	}
	p.ownRole, p.Role = true, r.ARN()
	return nil
}

// streamVariable tells bootstrap that the function's URL streams.
const streamVariable = "FAAS_LAMBDA_INVOKE_MODE"

// addVariables adds the variables that annotations need.
func (p *plan) addVariables() {
	for _, t := range p.Triggers {
		if _, said := p.env[streamVariable]; t.Kind == "url" && t.Options["mode"] == "RESPONSE_STREAM" && !said {
			p.env[streamVariable] = "RESPONSE_STREAM"
			p.added = append(p.added, streamVariable)
		}
	}
}

// recordable refuses what could not be recorded: where there is no S3, all of it
// has to fit into tags.
func (p plan) recordable() error {
	if p.account.wanted != noBucket {
		return nil
	}
	text, err := document{Records: []record{newRecord(p.deployment, "", time.Now())}}.pack()
	if err == nil && !fits(text) {
		err = backend.Errorf(backend.ErrInvalid, "labels, annotations, secrets and constraints of function %s take %d characters compressed, more than the %d that Lambda's tags hold, and the provider has no bucket: set code_bucket",
			p.name, len(text), maxPieces*maxTagValue)
	}
	return err
}

// checkResources refuses quantities that are none.
func checkResources(d types.FunctionDeployment) error {
	check := func(where string, r *types.FunctionResources) error {
		if r == nil {
			return nil
		}
		for _, q := range []struct{ field, value string }{{"memory", r.Memory}, {"cpu", r.CPU}} {
			if q.value == "" {
				continue
			}
			if _, err := notation.Quantity(q.value); err != nil {
				return backend.Errorf(backend.ErrInvalid, "%s.%s: %w", where, q.field, err)
			}
		}
		return nil
	}
	if err := check("limits", d.Limits); err != nil {
		return err
	}
	return check("requests", d.Requests)
}

// memory returns the MB that a function gets: its limit, else its request, else
// fallback, and more where the processors asked for come with more.
func memory(d types.FunctionDeployment, fallback int) (int, error) {
	limits, requests := d.Limits, d.Requests
	if limits == nil {
		limits = &types.FunctionResources{}
	}
	if requests == nil {
		requests = &types.FunctionResources{}
	}
	mb := fallback
	for _, q := range []struct{ field, value string }{{"requests.memory", requests.Memory}, {"limits.memory", limits.Memory}} {
		if q.value == "" {
			continue
		}
		var err error
		if mb, err = notation.Megabytes(q.value); err != nil {
			return 0, backend.Errorf(backend.ErrInvalid, "%s: %w", q.field, err)
		}
	}
	for _, q := range []struct{ field, value string }{{"requests.cpu", requests.CPU}, {"limits.cpu", limits.CPU}} {
		if q.value == "" {
			continue
		}
		needs, err := notation.CPUMegabytes(q.value)
		if err != nil {
			return 0, backend.Errorf(backend.ErrInvalid, "%s: %w", q.field, err)
		}
		mb = max(mb, needs)
	}
	return mb, nil
}

// architecture returns what a constraint such as arch=arm64 or
// kubernetes.io/arch==amd64 asks for, else fallback. Other constraints are about
// nodes, which Lambda does not have.
func architecture(constraints []string, fallback string) (string, error) {
	for _, constraint := range constraints {
		key, value, ok := strings.Cut(constraint, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(strings.TrimPrefix(value, "="))
		if !ok || key != "arch" && key != "kubernetes.io/arch" && key != "beta.kubernetes.io/arch" {
			continue
		}
		switch value {
		case "amd64", "x86_64":
			fallback = "amd64"
		case "arm64", "aarch64":
			fallback = "arm64"
		default:
			return "", backend.Errorf(backend.ErrInvalid, "constraint %q: Lambda offers amd64 and arm64", constraint)
		}
	}
	return fallback, nil
}

// maxTimeout is Lambda's.
const maxTimeout = 900 * time.Second

// timeout returns how long an invocation may take: the longest of exec_timeout,
// read_timeout and write_timeout, as the deployment has them, else as the image has them,
// else fallback. So the watchdog's own, shorter, limit is the one that ends a
// function, with the watchdog's answer.
func timeout(vars map[string]string, image []string, fallback time.Duration) (time.Duration, error) {
	longest := time.Duration(0)
	for _, name := range []string{"exec_timeout", "read_timeout", "write_timeout"} {
		where, value := "envVars", vars[name]
		if value == "" {
			where = "the image's ENV"
			for _, kv := range image {
				if v, ok := strings.CutPrefix(kv, name+"="); ok {
					value = v
				}
			}
		}
		if value == "" {
			continue
		}
		d, err := notation.Duration(value)
		if err != nil {
			return 0, backend.Errorf(backend.ErrInvalid, "%s: %s=%q is no duration such as 30 or 1m30s", where, name, value)
		}
		if d > maxTimeout {
			return 0, backend.Errorf(backend.ErrInvalid, "%s: %s=%s is longer than Lambda's %s", where, name, value, maxTimeout)
		}
		longest = max(longest, d)
	}
	if longest <= 0 {
		longest = fallback // not set, or "no limit", which Lambda does not have
	}
	return (longest + time.Second - 1).Truncate(time.Second), nil
}
