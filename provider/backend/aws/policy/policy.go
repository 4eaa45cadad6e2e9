// Package policy writes IAM policies: what the provider has to be allowed, what the
// roles of functions have to be, and who may take those. What it writes depends on
// what is configured and deployed alone; it calls nothing.
package policy

import (
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/annotations"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/secrets"
)

const (
	// OwnTag is the tag that a function has which the provider made. It may change
	// functions that have it, and no other.
	OwnTag = "faas-lambda:service"

	// DefaultRolePath is the path of managed roles. The region follows it.
	DefaultRolePath = "/faas-lambda/"

	// NoBucket in the place of a bucket's name means that there is none.
	NoBucket = "none"
)

// Place is where a policy is for. What is empty there is any.
type Place struct {
	Partition, Region, Account string
	Bucket                     string // of the provider, or NoBucket; empty for the one that the provider makes
	Repository                 string // in ECR
	Role                       string // ARN that functions run as; annotations.ManagedRole where all have managed roles
	ManagedRoles               bool   // functions may have managed roles, whatever Role is
	RolePath                   string // of managed roles; empty for DefaultRolePath
	RoleBoundary               string // of managed roles: name or ARN of a policy; empty for nothing
	Store                      string // of secrets: secrets.SecretsManager, which is meant when it is empty, or secrets.ParameterStore
}

// managesRoles tells whether functions have roles that the provider makes.
func (p Place) managesRoles() bool { return p.ManagedRoles || p.Role == annotations.ManagedRole }

func (p Place) withDefaults() Place {
	for value, fallback := range map[*string]string{&p.Partition: "aws", &p.Region: "*", &p.Account: "*", &p.Repository: "faas-lambda"} {
		if *value == "" {
			*value = fallback
		}
	}
	if p.Bucket == "" || p.Bucket == NoBucket {
		p.Bucket = "faas-lambda-" + p.Account + "-" + p.Region
	}
	if p.Role == "" {
		p.Role = "arn:" + p.Partition + ":iam::" + p.Account + ":role/faas-lambda*"
	}
	if p.RolePath == "" {
		p.RolePath = DefaultRolePath
	}
	if p.RoleBoundary != "" && !strings.HasPrefix(p.RoleBoundary, "arn:") {
		p.RoleBoundary = "arn:" + p.Partition + ":iam::" + p.Account + ":policy/" + p.RoleBoundary
	}
	return p
}

// Boundary is the ARN of what bounds managed roles here; empty where nothing does.
func (p Place) Boundary() string { return p.withDefaults().RoleBoundary }

// managed are the roles that are managed.
func (p Place) managed() string {
	return "arn:" + p.Partition + ":iam::" + p.Account + ":role" + p.RolePath + p.Region + "/*"
}

// without tells what is not needed here. Whoever may remove a boundary is not bound
// by it.
func (p Place) without(n needed) bool {
	return n.roles() && !p.managesRoles() || n.why == "UnboundRoles" && p.RoleBoundary != "" || n.service == "secretsmanager" && p.Store == secrets.ParameterStore
}

// passed are the roles that functions run as.
func (p Place) passed() []string {
	switch {
	case p.Role == annotations.ManagedRole:
		return []string{p.managed()}
	case p.ManagedRoles:
		return []string{p.Role, p.managed()}
	}
	return []string{p.Role}
}

func (p Place) arn(service, resource string) string {
	return strings.Join([]string{"arn", p.Partition, service, p.Region, p.Account, resource}, ":")
}

// resources fills in what the table names.
func (p Place) resources(on string) []string {
	switch on {
	case "function":
		return []string{p.arn("lambda", "function:*")}
	case "layer":
		return []string{p.arn("lambda", "layer:faas-lambda-*"), p.arn("lambda", "layer:faas-lambda-*:*")}
	case "bucket":
		return []string{"arn:" + p.Partition + ":s3:::" + p.Bucket}
	case "objects":
		return []string{"arn:" + p.Partition + ":s3:::" + p.Bucket + "/*"}
	case "anybucket":
		return []string{"arn:" + p.Partition + ":s3:::*"}
	case "topic":
		return []string{p.arn("sns", "*")}
	case "rule":
		return []string{p.arn("events", "rule/*")}
	case "secret":
		return []string{p.arn("secretsmanager", "secret:"+secrets.Prefix+"*")}
	case "parameter":
		return []string{p.arn("ssm", "parameter/"+secrets.Prefix+"*")}
	case "loggroup":
		return []string{p.arn("logs", "log-group:*")}
	case "repository":
		return []string{p.arn("ecr", "repository/"+p.Repository)}
	case "role":
		return []string{p.managed()}
	case "self":
		// IAM takes no path that begins with an asterisk.
		principal := "arn:" + p.Partition + ":iam::" + p.Account + ":"
		return []string{principal + "role/*", principal + "user/*"}
	}
	return []string{"*"}
}

// ForProvider returns what the provider has to be allowed, and no more: what
// it calls, on what it makes. Functions are changed only where they have our tag,
// which a function that somebody else made has not.
func ForProvider(p Place) Document {
	p = p.withDefaults()
	out := Document{Version: policyVersion}
	at := map[string]int{}
	for _, n := range table {
		if p.without(n) {
			continue
		}
		i, known := at[n.why]
		if !known {
			i = len(out.Statement)
			at[n.why] = i
			s := Statement{Sid: n.why, Effect: "Allow"}
			if n.ours {
				s.Condition = map[string]map[string][]string{"Null": {"aws:ResourceTag/" + OwnTag: {"false"}}}
			}
			if n.why == "MakeRoles" && p.RoleBoundary != "" {
				s.Condition = map[string]map[string][]string{"StringEquals": {"iam:PermissionsBoundary": {p.RoleBoundary}}}
			}
			out.Statement = append(out.Statement, s)
		}
		s := &out.Statement[i]
		s.Action = append(s.Action, n.permissions()...)
		s.Resource = append(s.Resource, p.resources(n.on)...)
	}
	for i := range out.Statement {
		s := &out.Statement[i]
		slices.Sort(s.Action)
		slices.Sort(s.Resource)
		s.Action, s.Resource = slices.Compact(s.Action), slices.Compact(s.Resource)
	}
	out.Statement = append(out.Statement, Statement{
		Sid: "GiveFunctionsTheirRole", Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: p.passed(),
		Condition: map[string]map[string][]string{"StringEquals": {"iam:PassedToService": {"lambda.amazonaws.com"}}},
	})
	return out
}
