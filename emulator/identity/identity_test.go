package identity

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func client(t *testing.T, accessKey string) *sts.Client {
	t.Helper()
	s := httptest.NewServer(New("123456789012"))
	t.Cleanup(s.Close)
	return sts.New(sts.Options{BaseEndpoint: &s.URL, Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider(accessKey, "secret", "")})
}

// clientOf is another caller of the same service.
func clientOf(c *sts.Client, accessKey string) *sts.Client {
	o := c.Options()
	o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "secret", "")
	return sts.New(o)
}

func TestCallers(t *testing.T) {
	for key, want := range map[string]struct{ account, arn string }{
		"local":                {"123456789012", "arn:aws:iam::123456789012:user/local"},
		"ASIA999988887777ABCD": {"999988887777", "arn:aws:sts::999988887777:assumed-role/role/session"},
		"ASIAnot-an-account!!": {"123456789012", "arn:aws:sts::123456789012:assumed-role/role/session"},
	} {
		out, err := client(t, key).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if *out.Account != want.account || *out.Arn != want.arn || *out.UserId == "" {
			t.Errorf("%s is %s, %s", key, *out.Account, *out.Arn)
		}
	}
}

func TestRolesBelongToTheirAccounts(t *testing.T) {
	role, session, token := "arn:aws:iam::999988887777:role/team/functions", "faas-lambda", "jwt"
	c := client(t, "local")
	byUser, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &session})
	if err != nil {
		t.Fatal(err)
	}
	byToken, err := c.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: &session, WebIdentityToken: &token})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{*byUser.Credentials.AccessKeyId, *byToken.Credentials.AccessKeyId} {
		if got := Account(key, "123456789012"); got != "999988887777" {
			t.Errorf("%s belongs to %s", key, got)
		}
		who, err := clientOf(c, key).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || *who.Arn != "arn:aws:sts::999988887777:assumed-role/functions/faas-lambda" {
			t.Errorf("%s is %+v, %v", key, who, err)
		}
	}
	if left := time.Until(*byUser.Credentials.Expiration); left < 59*time.Minute || left > time.Hour {
		t.Errorf("it expires in %s", left)
	}
	if *byUser.AssumedRoleUser.Arn != "arn:aws:sts::999988887777:assumed-role/functions/faas-lambda" {
		t.Errorf("assumed %s", *byUser.AssumedRoleUser.Arn)
	}
}

func TestRolesThatCannotBeAssumed(t *testing.T) {
	short := int32(60)
	for name, in := range map[string]sts.AssumeRoleInput{
		"no role":       {RoleArn: new("arn:aws:iam::1:role/x"), RoleSessionName: new("s1")},
		"bad session":   {RoleArn: new("arn:aws:iam::999988887777:role/x"), RoleSessionName: new("a b")},
		"too short":     {RoleArn: new("arn:aws:iam::999988887777:role/x"), RoleSessionName: new("s1"), DurationSeconds: &short},
		"another thing": {RoleArn: new("arn:aws:iam::999988887777:user/x"), RoleSessionName: new("s1")},
	} {
		_, err := client(t, "local").AssumeRole(t.Context(), &in)
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != "ValidationError" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
