package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// illAWS answers what the doctor asks for; ill names what is wrong with it.
type illAWS struct{ ill string }

func (a illAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	action := r.Form.Get("Action")
	at := time.Now()
	if a.ill == "clock" {
		at = at.Add(-10 * time.Minute)
	}
	w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
	switch {
	case action == "GetCallerIdentity" && a.ill == "credentials":
		http.Error(w, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no such key</Message></Error></ErrorResponse>", http.StatusForbidden)
	case action == "GetCallerIdentity":
		_, _ = fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/provider/i-0</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	case action == "SimulatePrincipalPolicy" && r.Form.Get("PolicySourceArn") != "arn:aws:iam::123456789012:role/provider":
		http.Error(w, "<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>", http.StatusNotFound)
	case action == "SimulatePrincipalPolicy" && a.ill == "simulation":
		http.Error(w, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", http.StatusForbidden)
	case action == "SimulatePrincipalPolicy":
		_, _ = fmt.Fprint(w, "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>")
		for i := 1; r.Form.Get(fmt.Sprintf("ActionNames.member.%d", i)) != ""; i++ {
			name, decision := r.Form.Get(fmt.Sprintf("ActionNames.member.%d", i)), "allowed"
			if a.ill == "permissions" && name == "lambda:CreateFunction" {
				decision = "implicitDeny"
			}
			_, _ = fmt.Fprintf(w, "<member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision></member>", name, decision)
		}
		_, _ = fmt.Fprint(w, "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>")
	case strings.HasSuffix(r.URL.Path, "/account-settings/") || strings.HasSuffix(r.URL.Path, "/account-settings"):
		most := 1000
		if a.ill == "limits" {
			most = 10
		}
		_, _ = fmt.Fprintf(w, `{"AccountLimit":{"ConcurrentExecutions":%d,"TotalCodeSize":80530636800},"AccountUsage":{"FunctionCount":3,"TotalCodeSize":1048576}}`, most)
	case strings.Contains(r.URL.Path, "/functions"):
		_, _ = fmt.Fprint(w, `{"Functions":[]}`)
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetAuthorizationToken") && a.ill == "registry":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"no"}`)
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "GetAuthorizationToken"):
		_, _ = fmt.Fprint(w, `{"authorizationData":[]}`)
	case r.Method == http.MethodHead && a.ill == "bucket":
		w.WriteHeader(http.StatusNotFound)
	}
}

// needed is what the provider has to be allowed; the doctor's own questions are not
// asked about.
var needed = Policy{
	Statements: []Statement{
		{"DeployFunctions", []string{"lambda:CreateFunction", "lambda:DeleteFunction"}, []string{"arn:aws:lambda:us-east-1:123456789012:function:*"}},
		{"Doctor", []string{"iam:SimulatePrincipalPolicy"}, []string{"*"}},
	},
	Context: map[string]string{"iam:PassedToService": "lambda.amazonaws.com", "iam:PermissionsBoundary": ""},
}

func TestDoctor(t *testing.T) {
	for _, c := range []struct {
		ill   string // and what is found so
		state State
		says  string
	}{
		{"", Fine, ""},
		{"credentials", Broken, "no such key"},
		{"clock", Broken, "off by -10m"},
		{"permissions", Broken, "lambda:CreateFunction"},
		{"simulation", Warning, "AccessDenied"},
		{"limits", Warning, "10 invocations at once"},
		{"bucket", Broken, "code does not exist"},
		{"registry", Warning, "GetAuthorizationToken"},
		{"execution role", Broken, "lambda_execution_role"},
		{"region", Broken, "AWS_REGION"},
		{"other registry", Warning, "reach registry 127.0.0.1:1"},
		{"account", Broken, "no account"},
		{"no bucket", Warning, "code_bucket"},
	} {
		t.Run(c.ill, func(t *testing.T) {
			server := httptest.NewServer(illAWS{c.ill})
			defer server.Close()
			cfg := aws.Config{
				Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "s", ""),
				Retryer: func() aws.Retryer {
					return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
				},
			}
			account := Account{
				Role:   "arn:aws:iam::123456789012:role/r",
				Bucket: func(context.Context) (string, error) { return "code", nil },
				Policy: func(context.Context) (Policy, error) { return needed, nil },
			}
			what := c.ill
			switch what {
			case "execution role":
				account.Role = ""
			case "region": // which nobody answers for
				cfg.BaseEndpoint, what = aws.String("http://127.0.0.1:1"), "credentials"
			case "other registry":
				account.Images, what = "127.0.0.1:1/functions", "registry"
			case "simulation":
				what = "permissions"
			case "account":
				account.Policy = func(context.Context) (Policy, error) { return Policy{}, errors.New("no account") }
				what = "permissions"
			case "no bucket":
				account.Bucket, what = nil, "bucket"
			}
			account.Config, account.S3 = cfg, s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
			seen := false
			for _, f := range Examine(t.Context(), account) {
				switch {
				case f.What == what:
					seen = true
					if f.State != c.state || !strings.Contains(f.Said+f.Advice, c.says) || f.Advice == "" {
						t.Errorf("found %+v", f)
					}
				case f.State != Fine || f.Advice != "":
					t.Errorf("found %+v too", f)
				}
			}
			if seen != (c.ill != "") {
				t.Error("not found")
			}
		})
	}
}
