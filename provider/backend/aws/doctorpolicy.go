package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// vital are the statements of the provider's policy without which it does
// nothing; the others are of things that not everybody uses.
var vital = []string{"Invoke", "ReadFunctions", "ListFunctions", "DeployFunctions", "ChangeOwnFunctions", "GiveFunctionsTheirRole", "MakeRoles", "KeepRoles"}

// permissions has IAM say what we may do of what `faas-lambda iam` prints, on
// resources such as it names; where we may not ask that, some calls that change
// nothing are tried.
func (d *doctor) permissions(ctx context.Context) {
	place, err := d.account.place(ctx)
	if err != nil {
		d.say("permissions", Broken, err.Error(), "allow sts:GetCallerIdentity")
		return
	}
	place.Bucket, place.Role, place.RolePath, place.RoleBoundary, place.Store = d.opts.CodeBucket, d.account.role, d.opts.RolePath, d.opts.RoleBoundary, d.opts.SecretStore
	if !strings.Contains(d.opts.ImageRepository, "/") {
		place.Repository = d.opts.ImageRepository
	}
	count, lacks, state := 0, []string(nil), Warning
	for _, s := range ProviderPolicy(place).Statement {
		if s.Sid == "Doctor" {
			continue
		}
		denied, err := d.simulate(ctx, place, s)
		if err != nil {
			d.probe(ctx, err)
			return
		}
		if count += len(s.Action); len(denied) > 0 {
			lacks = append(lacks, denied...)
			if slices.Contains(vital, s.Sid) {
				state = Broken
			}
		}
	}
	if len(lacks) > 0 {
		slices.Sort(lacks)
		d.say("permissions", state, "not allowed: "+strings.Join(slices.Compact(lacks), ", "), "attach what `faas-lambda iam` prints")
		return
	}
	d.say("permissions", Fine, fmt.Sprintf("all %d actions are allowed", count), "")
}

// simulate returns the actions of a statement that are allowed on none of its
// resources.
func (d *doctor) simulate(ctx context.Context, place Place, s Statement) ([]string, error) {
	denied := slices.Clone(s.Action)
	for _, resource := range s.Resource {
		if len(denied) == 0 {
			break
		}
		if resource != "*" {
			resource = strings.ReplaceAll(resource, "*", "faas-lambda") // one of those
		}
		pages := iam.NewSimulatePrincipalPolicyPaginator(d.account.iam, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String(principal(d.arn)), ActionNames: denied, ResourceArns: []string{resource}, ContextEntries: simulatedContext(place),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, r := range page.EvaluationResults {
				if r.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed {
					denied = slices.DeleteFunc(slices.Clone(denied), func(action string) bool { return action == aws.ToString(r.EvalActionName) })
				}
			}
		}
	}
	return denied, nil
}

// simulatedContext is what is known of a call that we would make: about a function
// of ours, about a role that is passed to Lambda.
func simulatedContext(place Place) []iamtypes.ContextEntry {
	var out []iamtypes.ContextEntry
	for key, value := range map[string]string{
		"aws:ResourceTag/" + tagService: "any", "iam:PassedToService": "lambda.amazonaws.com", "iam:PermissionsBoundary": place.withDefaults().RoleBoundary,
	} {
		if value != "" {
			out = append(out, iamtypes.ContextEntry{ContextKeyName: aws.String(key), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{value}})
		}
	}
	return out
}

// principal is whose policies count: the role of a session, without the session.
func principal(arn string) string {
	before, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return arn
	}
	role, _, _ := strings.Cut(rest, "/")
	return strings.Replace(before, ":sts:", ":iam:", 1) + ":role/" + role
}

// probe tries calls that read.
func (d *doctor) probe(ctx context.Context, why error) {
	_, err := d.account.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	if err != nil {
		d.say("permissions", Broken, awserr.Wrap("list functions", err).Error(), "attach what `faas-lambda iam` prints")
		return
	}
	d.say("permissions", Warning, "functions may be listed; the rest could not be simulated ("+errorCode(why)+")",
		"allow iam:SimulatePrincipalPolicy to see what is missing")
}

// role examines what functions run as.
func (d *doctor) role(ctx context.Context) {
	switch d.account.role {
	case "":
		d.say("execution role", Broken, "lambda_execution_role is not set",
			"set it to managed; or make a role that Lambda may assume (faas-lambda iam --trust) with the policy of faas-lambda iam --functions, and name its ARN")
	case ManagedRole:
		d.managedRoles(ctx)
	default:
		d.say("execution role", Fine, d.account.role, "")
	}
}

// managedRoles looks for the roles that the provider made, as serve does for those
// that were left.
func (d *doctor) managedRoles(ctx context.Context) {
	path := d.opts.RolePath
	if path == "" {
		path = DefaultRolePath
	}
	path += d.account.config.Region + "/"
	out, err := d.account.iam.ListRoles(ctx, &iam.ListRolesInput{PathPrefix: &path, MaxItems: aws.Int32(1000)})
	if err != nil {
		d.say("execution role", Broken, awserr.Wrap("list managed roles", err).Error(), "attach what `faas-lambda iam` prints with lambda_execution_role=managed")
		return
	}
	more := ""
	if out.IsTruncated {
		more = " or more"
	}
	d.say("execution role", Fine, fmt.Sprintf("one for each function, under %s: %d%s are there", path, len(out.Roles), more), "")
}
