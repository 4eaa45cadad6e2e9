package secrets

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var basic = []string{"AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key"}

func TestConfiguration(t *testing.T) {
	env := append([]string{`FAAS_LAMBDA_SECRETS={"b":"ssm:/b","a":"secretsmanager:x:y"}`}, basic...)
	c, err := parseConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.named) != 2 || c.named[0] != (reference{"a", "secretsmanager:x:y", "secretsmanager", "x:y"}) || c.named[1].id != "/b" {
		t.Errorf("names %+v", c.named)
	}
	if c.ttl != 5*time.Minute || c.dir != "/tmp/.faas-lambda/secrets" {
		t.Errorf("%+v", c)
	}
}

func TestEndpoints(t *testing.T) {
	for name, c := range map[string]struct {
		env         []string
		secrets, pm string
	}{
		"AWS":        {[]string{"AWS_REGION=eu-central-1"}, "https://secretsmanager.eu-central-1.amazonaws.com/", "https://ssm.eu-central-1.amazonaws.com/"},
		"China":      {[]string{"AWS_REGION=cn-north-1"}, "https://secretsmanager.cn-north-1.amazonaws.com.cn/", "https://ssm.cn-north-1.amazonaws.com.cn/"},
		"GovCloud":   {[]string{"AWS_REGION=us-gov-west-1"}, "https://secretsmanager.us-gov-west-1.amazonaws.com/", "https://ssm.us-gov-west-1.amazonaws.com/"},
		"isolated":   {[]string{"AWS_REGION=us-isob-east-1"}, "https://secretsmanager.us-isob-east-1.sc2s.sgov.gov/", "https://ssm.us-isob-east-1.sc2s.sgov.gov/"},
		"default":    {[]string{"AWS_DEFAULT_REGION=us-east-1"}, "https://secretsmanager.us-east-1.amazonaws.com/", "https://ssm.us-east-1.amazonaws.com/"},
		"all":        {[]string{"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://h:1/base"}, "http://h:1/base", "http://h:1/base"},
		"one of all": {[]string{"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://h", "AWS_ENDPOINT_URL_SSM=https://p"}, "http://h/", "https://p/"},
		"the other":  {[]string{"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_SECRETS_MANAGER=https://p"}, "https://p/", "https://ssm.us-east-1.amazonaws.com/"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseConfig(append([]string{`FAAS_LAMBDA_SECRETS={"a":"ssm:a"}`, "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key"}, c.env...))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := got.endpoints[secretsManager].String(), got.endpoints[parameterStore].String(); a != c.secrets || b != c.pm {
				t.Errorf("%s %s", a, b)
			}
		})
	}
}

func TestBadConfiguration(t *testing.T) {
	for name, c := range map[string]struct{ variable, says string }{
		"no JSON":               {`FAAS_LAMBDA_SECRETS={"a"`, "FAAS_LAMBDA_SECRETS: is no JSON object of strings"},
		"a list":                {`FAAS_LAMBDA_SECRETS=["a"]`, "FAAS_LAMBDA_SECRETS: is no JSON object of strings"},
		"path as a name":        {`FAAS_LAMBDA_SECRETS={"../a":"ssm:a"}`, `FAAS_LAMBDA_SECRETS: "../a" cannot be`},
		"dot":                   {`FAAS_LAMBDA_SECRETS={".":"ssm:a"}`, `FAAS_LAMBDA_SECRETS: "." cannot be`},
		"hidden":                {`FAAS_LAMBDA_SECRETS={".new-a":"ssm:a"}`, `FAAS_LAMBDA_SECRETS: ".new-a" cannot be`},
		"empty name":            {`FAAS_LAMBDA_SECRETS={"":"ssm:a"}`, `FAAS_LAMBDA_SECRETS: "" cannot be`},
		"NUL in a name":         {`FAAS_LAMBDA_SECRETS={"a\u0000":"ssm:a"}`, `FAAS_LAMBDA_SECRETS: "a\x00" cannot be`},
		"long name":             {`FAAS_LAMBDA_SECRETS={"` + strings.Repeat("a", 254) + `":"ssm:a"}`, "cannot be the name"},
		"unknown service":       {`FAAS_LAMBDA_SECRETS={"a":"vault:a"}`, `FAAS_LAMBDA_SECRETS: secret a: "vault:a" is neither`},
		"bare ARN":              {`FAAS_LAMBDA_SECRETS={"a":"arn:aws:secretsmanager:x"}`, `secret a: "arn:aws:secretsmanager:x" is neither`},
		"no id":                 {`FAAS_LAMBDA_SECRETS={"a":"ssm:"}`, `secret a: "ssm:" is neither`},
		"newline in an id":      {`FAAS_LAMBDA_SECRETS={"a":"ssm:a\nb"}`, `secret a: "ssm:a\nb" is neither`},
		"refresh":               {"FAAS_LAMBDA_SECRETS_REFRESH=5", `FAAS_LAMBDA_SECRETS_REFRESH: "5" is not a duration of 0 or more`},
		"negative refresh":      {"FAAS_LAMBDA_SECRETS_REFRESH=-1s", `FAAS_LAMBDA_SECRETS_REFRESH: "-1s" is not`},
		"relative directory":    {"FAAS_LAMBDA_SECRETS_DIR=x", `FAAS_LAMBDA_SECRETS_DIR: "x" is not an absolute path`},
		"region with a dot":     {"AWS_REGION=evil.example.com/", `AWS_REGION: "evil.example.com/" is no region`},
		"endpoint of no host":   {"AWS_ENDPOINT_URL=http://", "AWS_ENDPOINT_URL: is no URL"},
		"endpoint with a query": {"AWS_ENDPOINT_URL_SSM=http://h/?a=b", "AWS_ENDPOINT_URL_SSM: is no URL"},
		"endpoint of a file":    {"AWS_ENDPOINT_URL_SECRETS_MANAGER=file:///etc", "AWS_ENDPOINT_URL_SECRETS_MANAGER: is no URL"},
		"proxy of another kind": {"HTTPS_PROXY=socks5://u:hidden@h", "HTTPS_PROXY: is no URL"},
		"credentials far away":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://192.0.2.1/", "AWS_CONTAINER_CREDENTIALS_FULL_URI: is neither"},
	} {
		t.Run(name, func(t *testing.T) {
			env := append([]string{`FAAS_LAMBDA_SECRETS={"a":"ssm:a"}`}, basic...)
			if strings.HasPrefix(c.variable, "AWS_CONTAINER") {
				env = env[:2]
			}
			s, err := Load(t.Context(), append(env, c.variable), nil)
			if s != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	_, err := Load(t.Context(), []string{`FAAS_LAMBDA_SECRETS={"a":"ssm:a"}`, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=id"}, nil)
	if err == nil || !strings.Contains(err.Error(), "neither AWS_ACCESS_KEY_ID") {
		t.Errorf("error = %v", err)
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":"ssm:/a"}`, `{"a":"secretsmanager:arn:x"}`, `{"../a":"ssm:a"}`, `null`, `{"a":1}`, `{"\u0000":"ssm:a"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseNames(text)
		if err != nil {
			return
		}
		again := map[string]string{}
		for _, r := range list {
			if filepath.Base(r.name) != r.name || r.name[0] == '.' || strings.ContainsAny(r.name, "/\x00\n") {
				t.Errorf("name %q", r.name)
			}
			if r.service+":"+r.id != r.ref || r.id == "" {
				t.Errorf("%+v", r)
			}
			again[r.name] = r.ref
		}
		if len(again) != len(list) {
			t.Errorf("twice the same name: %v", list)
		}
		if _, err := json.Marshal(again); err != nil {
			t.Error(err)
		}
	})
}

// FuzzAnswer reads answers that no AWS gives: nothing of a value is ever told.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"SecretString":"a"}`, "")
	f.Add(200, `{"SecretBinary":"YQ=="}`, "")
	f.Add(200, `{"Parameter":{"Value":"a"}}`, "")
	f.Add(400, `{"__type":"a.b#C:http://x","Message":"m\nrest token"}`, "X:y")
	f.Add(503, `<html>`, "")
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		if status == 200 {
			for _, service := range []string{secretsManager, parameterStore} {
				v, err := readValue(service, []byte(body))
				if (v == nil) != (err != nil) || err != nil && !errors.Is(err, errNoValue) {
					t.Errorf("%q %v", v, err)
				}
			}
			return
		}
		e := readError(response{status: status, header: map[string][]string{"X-Amzn-Errortype": {header}}, body: []byte(body)}, credentials{token: "token", key: "key"})
		text := e.Error()
		if strings.ContainsFunc(text, control) || strings.Contains(e.message, "token") || len(text) > 2*maxMessage {
			t.Errorf("error %q", text)
		}
	})
}
