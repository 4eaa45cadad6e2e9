package models

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// What is not as published is found.
func TestDeviationsAreFound(t *testing.T) {
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	models := map[string]*model{}
	const query = `<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult>`
	for _, test := range []struct {
		service, operation string
		status             int
		body, want         string
	}{
		{"lambda", "GetFunctionConfiguration", 200, `{"FunctionName":"f","Mood":"good"}`, ".Mood: there is no such member"},
		{"lambda", "GetFunctionConfiguration", 200, `{"MemorySize":"128"}`, ".MemorySize: 128, want an integer"},
		{"lambda", "GetFunctionConfiguration", 200, `{"State":"Happy"}`, `.State: "Happy" is none of`},
		{"lambda", "GetFunctionConfiguration", 200, `{"Environment":{"Variables":{"a":1}}}`, ".Environment.Variables{}: 1, want a string"},
		{"lambda", "GetFunctionConfiguration", 201, `{}`, "status: 201, want 200"},
		{"lambda", "GetFunctionConfiguration", 200, `no`, "body:"},
		{"lambda", "GetFunctionEventInvokeConfig", 200, `{"LastModified":"2026-01-01T00:00:00Z"}`, "want seconds since 1970"},
		{"lambda", "GetFunctionConcurrency", 404, `{"__type":"NoSuchFunction"}`, "is none that GetFunctionConcurrency declares"},
		{"lambda", "GetFunctionConcurrency", 400, `{"__type":"ResourceNotFoundException","Message":"x"}`, "status 400, want 404"},
		{"lambda", "GetFunctionConcurrency", 404, `{"__type":"ResourceNotFoundException","message":"x"}`, "does not call its text message"},
		{"lambda", "CreateFunctionUrlConfig", 201, `{"FunctionUrl":"http://x"}`, ".FunctionArn: missing"},
		{"iam", "ListRoles", 200, strings.Replace(query, "2010", "2011", 1) + `<Roles/></ListRolesResult></ListRolesResponse>`, "namespace"},
		{"iam", "ListRoles", 200, query + `</ListRolesResult></ListRolesResponse>`, ".Roles: missing"},
		{"iam", "ListRoles", 200, query + `<Roles><entry/></Roles></ListRolesResult></ListRolesResponse>`, "entry in a list of member"},
		{"iam", "ListRoles", 200, query + `<Roles/><IsTruncated>no</IsTruncated></ListRolesResult></ListRolesResponse>`, "want true or false"},
		{"iam", "ListRoles", 200, query + `<Roles><member><CreateDate>1700000000</CreateDate></member></Roles></ListRolesResult></ListRolesResponse>`, "want a time of ISO 8601"},
	} {
		if models[test.service] == nil {
			if models[test.service], err = load(filepath.Join(root, "bin", "models"), test.service); err != nil {
				t.Fatal(err)
			}
		}
		m := models[test.service]
		a := &answer{model: m, operation: m.Operations[test.operation], status: test.status, header: http.Header{"X-Amzn-Requestid": {"1"}}, body: []byte(test.body)}
		a.check()
		if !strings.Contains(strings.Join(a.problems, "\n"), test.want) {
			t.Errorf("%s: found %q, want %q", test.body, a.problems, test.want)
		}
	}
}
