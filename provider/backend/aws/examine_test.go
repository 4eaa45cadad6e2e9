package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/doctor"
)

// wellAWS answers what the doctor asks for, and allows all but one action.
func wellAWS(denied string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch action := r.Form.Get("Action"); {
		case action == "GetCallerIdentity":
			_, _ = fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
		case action == "SimulatePrincipalPolicy":
			_, _ = fmt.Fprint(w, "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>")
			for i := 1; r.Form.Get(fmt.Sprintf("ActionNames.member.%d", i)) != ""; i++ {
				name, decision := r.Form.Get(fmt.Sprintf("ActionNames.member.%d", i)), "allowed"
				if name == denied {
					decision = "implicitDeny"
				}
				_, _ = fmt.Fprintf(w, "<member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision></member>", name, decision)
			}
			_, _ = fmt.Fprint(w, "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>")
		case action == "ListRoles":
			_, _ = fmt.Fprintf(w, "<ListRolesResponse><ListRolesResult><Roles><member><RoleName>%s</RoleName></member></Roles></ListRolesResult></ListRolesResponse>", r.Form.Get("PathPrefix"))
		case strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/account-settings"):
			_, _ = fmt.Fprint(w, `{"AccountLimit":{"ConcurrentExecutions":1000}}`)
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetAuthorizationToken"):
			_, _ = fmt.Fprint(w, `{"authorizationData":[]}`)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		}
	}
}

func TestExamine(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		denied string
		what   string
		state  doctor.State
		says   string
	}{
		"permissions of the policy": {func(*Options) {}, "secretsmanager:CreateSecret", "permissions", doctor.Warning, "not allowed: secretsmanager:CreateSecret"},
		"those of its settings":     {func(o *Options) { o.SecretStore = "ssm" }, "secretsmanager:CreateSecret", "permissions", doctor.Fine, "actions are allowed"},
		"another namespace": {func(o *Options) {
			o.Accounts = map[string]AccountOptions{"far": {Region: "eu-west-1"}}
		}, "", "region of far", doctor.Fine, "eu-west-1"},
		"the bucket that is made": {func(*Options) {}, "", "bucket", doctor.Fine, "faas-lambda-123456789012-us-east-1 will be made"},
		"a bucket that is named":  {func(o *Options) { o.CodeBucket = "code" }, "", "bucket", doctor.Broken, "code does not exist"},
		"no bucket":               {func(o *Options) { o.CodeBucket = noBucket }, "", "bucket", doctor.Warning, "there is none"},
		"a role":                  {func(*Options) {}, "", "execution role", doctor.Fine, "arn:aws:iam::123456789012:role/r"},
		"managed roles":           {func(o *Options) { o.Role = ManagedRole }, "", "execution role", doctor.Fine, "under /faas-lambda/us-east-1/: 1 are there"},
		"no role":                 {func(o *Options) { o.Role = "" }, "", "execution role", doctor.Broken, "not set"},
		"images in ECR":           {func(o *Options) { o.ImageRepository = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x" }, "", "registry", doctor.Fine, "ECR"},
		"images elsewhere":        {func(o *Options) { o.ImageRepository = "127.0.0.1:1/x" }, "", "registry", doctor.Warning, "reach registry 127.0.0.1:1"},
		"a setting that is wrong": {func(o *Options) { o.SecretStore = "nowhere" }, "", "configuration", doctor.Broken, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(wellAWS(c.denied))
			defer server.Close()
			o := Options{
				Namespace: "openfaas-fn", Role: "arn:aws:iam::123456789012:role/r", Arch: "amd64", Memory: 256, Timeout: time.Minute,
				DeployTimeout: time.Second, MaxBackoff: time.Millisecond, Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s",
			}
			c.change(&o)
			for _, f := range Examine(t.Context(), o) {
				if f.What == c.what {
					if f.State != c.state || !strings.Contains(f.Said, c.says) {
						t.Errorf("found %+v, want %s: %s", f, c.state, c.says)
					}
					return
				}
			}
			t.Errorf("nothing is said of %s", c.what)
		})
	}
}
