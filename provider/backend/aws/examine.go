package aws

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/doctor"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
)

// Examine has the doctor look at everything that the provider needs of AWS: in the
// account of the default namespace, and in those of the namespaces that have one by
// configuration. It changes nothing.
func Examine(ctx context.Context, opts Options) []doctor.Finding {
	b, err := Open(ctx, opts)
	if err != nil {
		return []doctor.Finding{{
			What: "configuration", State: doctor.Broken, Said: err.Error(), Advice: "mend the configuration: docs/configuration.md lists it",
		}}
	}
	found := doctor.Examine(ctx, b.patient(b.home))
	for _, namespace := range slices.Sorted(maps.Keys(opts.Accounts)) {
		a := b.accounts.get(b.config, opts.Accounts[namespace], b.opts)
		if a == b.home {
			continue
		}
		for _, f := range doctor.Examine(ctx, b.patient(a)) {
			f.What += " of " + namespace
			found = append(found, f)
		}
	}
	return found
}

// patient is an account as the doctor sees it.
func (b *Backend) patient(a *account) doctor.Account {
	out := doctor.Account{
		Config: a.config, S3: a.s3, BucketIsMade: a.wanted == "",
		Policy: func(ctx context.Context) (doctor.Policy, error) { return b.needs(ctx, a) },
	}
	if a.role == ManagedRole {
		out.RolesPath = a.roles.Path()
	} else {
		out.Role = a.role
	}
	if a.wanted != noBucket {
		out.Bucket = a.bucketName
	}
	if host, _, other := strings.Cut(b.opts.ImageRepository, "/"); other && !ecrHost.MatchString(host) {
		out.Images = b.opts.ImageRepository
	}
	return out
}

// needs is what the provider has to be allowed in an account.
func (b *Backend) needs(ctx context.Context, a *account) (doctor.Policy, error) {
	place, err := a.place(ctx)
	if err != nil {
		return doctor.Policy{}, err
	}
	place.Bucket, place.Role, place.RolePath, place.RoleBoundary, place.Store = b.opts.CodeBucket, a.role, b.opts.RolePath, b.opts.RoleBoundary, b.opts.SecretStore
	if !strings.Contains(b.opts.ImageRepository, "/") {
		place.Repository = b.opts.ImageRepository
	}
	// A function of ours, and a role that is passed to Lambda.
	out := doctor.Policy{Context: map[string]string{
		"aws:ResourceTag/" + policy.OwnTag: "any", "iam:PassedToService": "lambda.amazonaws.com", "iam:PermissionsBoundary": place.Boundary(),
	}}
	for _, s := range policy.ForProvider(place).Statement {
		out.Statements = append(out.Statements, doctor.Statement{Sid: s.Sid, Actions: s.Action, Resources: s.Resource})
	}
	return out, nil
}
