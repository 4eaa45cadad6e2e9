package doctor

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

// Policy is what the provider has to be allowed.
type Policy struct {
	Statements []Statement
	Context    map[string]string // what is known of the calls, by IAM's keys of conditions; an empty value is not
}

// Statement is a part of a policy: actions, each on one of the resources.
type Statement struct {
	Sid                string // "Doctor" is for what is asked here alone
	Actions, Resources []string
}

// vital are the statements of the provider's policy without which it does
// nothing; the others are of things that not everybody uses.
var vital = []string{"Invoke", "ReadFunctions", "ListFunctions", "DeployFunctions", "ChangeOwnFunctions", "GiveFunctionsTheirRole", "MakeRoles", "KeepRoles"}

// permissions has IAM say what we may do of what `faas-lambda iam` prints, on
// resources such as it names; where we may not ask that, some calls that change
// nothing are tried.
func (d *doctor) permissions(ctx context.Context) {
	policy, err := d.Policy(ctx)
	if err != nil {
		d.say("permissions", Broken, err.Error(), "allow sts:GetCallerIdentity")
		return
	}
	count, lacks, state := 0, []string(nil), Warning
	for _, s := range policy.Statements {
		if s.Sid == "Doctor" {
			continue
		}
		denied, err := d.simulate(ctx, policy, s)
		if err != nil {
			d.probe(ctx, err)
			return
		}
		if count += len(s.Actions); len(denied) > 0 {
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
func (d *doctor) simulate(ctx context.Context, policy Policy, s Statement) ([]string, error) {
	denied := slices.Clone(s.Actions)
	for _, resource := range s.Resources {
		if len(denied) == 0 {
			break
		}
		if resource != "*" {
			resource = strings.ReplaceAll(resource, "*", "faas-lambda") // one of those
		}
		pages := iam.NewSimulatePrincipalPolicyPaginator(d.iam, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: aws.String(principal(d.arn)), ActionNames: denied, ResourceArns: []string{resource}, ContextEntries: policy.context(),
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

// context gives what is known as IAM takes it.
func (p Policy) context() []iamtypes.ContextEntry {
	var out []iamtypes.ContextEntry
	for key, value := range p.Context {
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
	_, err := d.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	if err != nil {
		d.say("permissions", Broken, awserr.Wrap("list functions", err).Error(), "attach what `faas-lambda iam` prints")
		return
	}
	d.say("permissions", Warning, "functions may be listed; the rest could not be simulated ("+awserr.Label(why)+")",
		"allow iam:SimulatePrincipalPolicy to see what is missing")
}

// role examines what functions run as.
func (d *doctor) role(ctx context.Context) {
	switch {
	case d.RolesPath != "":
		d.managedRoles(ctx)
	case d.Role == "":
		d.say("execution role", Broken, "lambda_execution_role is not set",
			"set it to managed; or make a role that Lambda may assume (faas-lambda iam --trust) with the policy of faas-lambda iam --functions, and name its ARN")
	default:
		d.say("execution role", Fine, d.Role, "")
	}
}

// managedRoles looks for the roles that the provider made, as serve does for those
// that were left.
func (d *doctor) managedRoles(ctx context.Context) {
	out, err := d.iam.ListRoles(ctx, &iam.ListRolesInput{PathPrefix: &d.RolesPath, MaxItems: aws.Int32(1000)})
	if err != nil {
		d.say("execution role", Broken, awserr.Wrap("list managed roles", err).Error(), "attach what `faas-lambda iam` prints with lambda_execution_role=managed")
		return
	}
	more := ""
	if out.IsTruncated {
		more = " or more"
	}
	d.say("execution role", Fine, fmt.Sprintf("one for each function, under %s: %d%s are there", d.RolesPath, len(out.Roles), more), "")
}
