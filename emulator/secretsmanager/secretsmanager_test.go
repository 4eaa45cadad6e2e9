package secretsmanager

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/faas-lambda/faas-lambda/emulator/wire/wiretest"
)

func open(t testing.TB, dir string) http.Handler {
	t.Helper()
	secrets, err := Open(Options{Dir: dir, Region: "us-east-1", Account: "000000000000"})
	if err != nil {
		t.Fatal(err)
	}
	return secrets.API()
}

const (
	secretARN  = `"ARN":"arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b-RANDOM"`
	wasDeleted = `400 {"Message":"You can't perform this operation on the secret because it was marked for deletion.","__type":"InvalidRequestException"}`
	noSecret   = `400 {"Message":"Secrets Manager can't find the specified secret.","__type":"ResourceNotFoundException"}`
)

func TestSecretsManager(t *testing.T) {
	t.Parallel()
	api := open(t, t.TempDir())
	wiretest.Steps(t, api, [][4]string{
		{"missing", "GetSecretValue", `{"SecretId":"a/b"}`, noSecret},
		{"bad name", "CreateSecret", `{"Name":"a b"}`, `400 {"__type":"ValidationException","message":"Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"}`},
		{"create", "CreateSecret", `{"Name":"a/b","Description":"d","SecretString":"one","Tags":[{"Key":"k","Value":"v"}]}`, `200 {` + secretARN + `,"Name":"a/b","VersionId":"ID"}`},
		{"again", "CreateSecret", `{"Name":"a/b","SecretString":"x"}`, `400 {"Message":"The operation failed because the secret a/b already exists.","__type":"ResourceExistsException"}`},
		{"value", "GetSecretValue", `{"SecretId":"a/b"}`, `200 {` + secretARN + `,"CreatedDate":TIME,"Name":"a/b","SecretString":"one","VersionId":"ID","VersionStages":["AWSCURRENT"]}`},
		{"by partial ARN", "GetSecretValue", `{"SecretId":"arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b"}`, `200 {` + secretARN + `,"CreatedDate":TIME,"Name":"a/b","SecretString":"one","VersionId":"ID","VersionStages":["AWSCURRENT"]}`},
		{"no previous value", "GetSecretValue", `{"SecretId":"a/b","VersionStage":"AWSPREVIOUS"}`, `400 {"Message":"Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS","__type":"ResourceNotFoundException"}`},
		{"no such version", "GetSecretValue", `{"SecretId":"a/b","VersionId":"x"}`, `400 {"Message":"Secrets Manager can't find the specified secret value for VersionId: x","__type":"ResourceNotFoundException"}`},
		{"put", "PutSecretValue", `{"SecretId":"a/b","SecretBinary":"AAH/"}`, `200 {` + secretARN + `,"Name":"a/b","VersionId":"ID","VersionStages":["AWSCURRENT"]}`},
		{"binary", "GetSecretValue", `{"SecretId":"a/b"}`, `200 {` + secretARN + `,"CreatedDate":TIME,"Name":"a/b","SecretBinary":"AAH/","VersionId":"ID","VersionStages":["AWSCURRENT"]}`},
		{"previous value", "GetSecretValue", `{"SecretId":"a/b","VersionStage":"AWSPREVIOUS"}`, `200 {` + secretARN + `,"CreatedDate":TIME,"Name":"a/b","SecretString":"one","VersionId":"ID","VersionStages":["AWSPREVIOUS"]}`},
		{"update", "UpdateSecret", `{"SecretId":"a/b","SecretString":"three","Description":"e"}`, `200 {` + secretARN + `,"Name":"a/b","VersionId":"ID"}`},
		{"update without a value", "UpdateSecret", `{"SecretId":"a/b","Description":"f"}`, `200 {` + secretARN + `,"Name":"a/b"}`},
		{"both kinds", "PutSecretValue", `{"SecretId":"a/b","SecretString":"x","SecretBinary":"AA=="}`, `400 {"Message":"You can't specify both a binary secret value and a string secret value in the same secret.","__type":"InvalidParameterException"}`},
		{"no value", "PutSecretValue", `{"SecretId":"a/b"}`, `400 {"Message":"You must provide either SecretString or SecretBinary.","__type":"InvalidRequestException"}`},
		{"tag", "TagResource", `{"SecretId":"a/b","Tags":[{"Key":"k","Value":"w"},{"Key":"l","Value":"x"}]}`, `200 {}`},
		{"untag", "UntagResource", `{"SecretId":"a/b","TagKeys":["l"]}`, `200 {}`},
		{"delete, window too short", "DeleteSecret", `{"SecretId":"a/b","RecoveryWindowInDays":3}`, `400 {"Message":"The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).","__type":"InvalidParameterException"}`},
		{"delete", "DeleteSecret", `{"SecretId":"a/b"}`, `200 {` + secretARN + `,"DeletionDate":TIME,"Name":"a/b"}`},
		{"deleted value", "GetSecretValue", `{"SecretId":"a/b"}`, wasDeleted},
		{"deleted update", "UpdateSecret", `{"SecretId":"a/b"}`, wasDeleted},
		{"create over deleted", "CreateSecret", `{"Name":"a/b"}`, `400 {"Message":"You can't create this secret because a secret with this name is already scheduled for deletion.","__type":"InvalidRequestException"}`},
		{"restore", "RestoreSecret", `{"SecretId":"a/b"}`, `200 {` + secretARN + `,"Name":"a/b"}`},
		{"delete by force", "DeleteSecret", `{"SecretId":"a/b","ForceDeleteWithoutRecovery":true}`, `200 {` + secretARN + `,"DeletionDate":TIME,"Name":"a/b"}`},
		{"gone", "DescribeSecret", `{"SecretId":"a/b"}`, noSecret},
		{"delete by force again", "DeleteSecret", `{"SecretId":"a/b","ForceDeleteWithoutRecovery":true}`, `200 {` + secretARN + `,"DeletionDate":TIME,"Name":"a/b"}`},
		{"create without a value", "CreateSecret", `{"Name":"a/b"}`, `200 {` + secretARN + `,"Name":"a/b"}`},
		{"its value", "GetSecretValue", `{"SecretId":"a/b"}`, `400 {"Message":"Secrets Manager can't find the specified secret value for staging label: AWSCURRENT","__type":"ResourceNotFoundException"}`},
		{"no JSON", "GetSecretValue", `{`, `400 {"__type":"SerializationException","message":"unexpected end of JSON input"}`},
	})
}

func TestSecretVersionIsIdempotent(t *testing.T) {
	t.Parallel()
	api := open(t, t.TempDir())
	id := strings.Repeat("i", 32)
	wiretest.Ask(t, api, "CreateSecret", `{"Name":"a","SecretString":"one"}`)
	put := `{"SecretId":"a","SecretString":"two","ClientRequestToken":"` + id + `"}`
	for range 2 {
		if status, got := wiretest.Ask(t, api, "PutSecretValue", put); status != 200 || got["VersionId"] != id {
			t.Errorf("%d %v", status, got)
		}
	}
	if status, got := wiretest.Ask(t, api, "PutSecretValue", strings.Replace(put, "two", "three", 1)); status != 400 || got["__type"] != "ResourceExistsException" {
		t.Errorf("%d %v", status, got)
	}
	_, got := wiretest.Ask(t, api, "DescribeSecret", `{"SecretId":"a"}`)
	if stages := got["VersionIdsToStages"].(map[string]any); len(stages) != 2 || fmt.Sprint(stages[id]) != "[AWSCURRENT]" {
		t.Errorf("stages %v", stages)
	}
}

func TestListSecrets(t *testing.T) {
	t.Parallel()
	api := open(t, t.TempDir())
	for i, tags := range []string{`{"Key":"of","Value":"x"}`, `{"Key":"of","Value":"y"}`, `{"Key":"other","Value":"x"}`} {
		wiretest.Ask(t, api, "CreateSecret", fmt.Sprintf(`{"Name":"s%d","SecretString":"v","Tags":[%s]}`, i, tags))
	}
	wiretest.Ask(t, api, "CreateSecret", `{"Name":"gone","SecretString":"v"}`)
	wiretest.Ask(t, api, "DeleteSecret", `{"SecretId":"gone"}`)
	names := func(body string) string {
		status, got := wiretest.Ask(t, api, "ListSecrets", body)
		if status != 200 {
			return fmt.Sprint(status, got)
		}
		var list []string
		for _, s := range got["SecretList"].([]any) {
			m := s.(map[string]any)
			if m["SecretString"] != nil {
				t.Errorf("the list tells values: %v", m)
			}
			list = append(list, m["Name"].(string))
		}
		return strings.Join(list, " ") + fmt.Sprint(" ", got["NextToken"])
	}
	for body, want := range map[string]string{
		`{}`: "s2 s1 s0 <nil>", `{"SortOrder":"asc"}`: "s0 s1 s2 <nil>", `{"IncludePlannedDeletion":true}`: "gone s2 s1 s0 <nil>",
		`{"SortOrder":"asc","MaxResults":2}`: "s0 s1 2", `{"SortOrder":"asc","MaxResults":2,"NextToken":"2"}`: "s2 <nil>",
		`{"Filters":[{"Key":"tag-key","Values":["of"]}]}`:                                    "s1 s0 <nil>",
		`{"Filters":[{"Key":"tag-key","Values":["of"]},{"Key":"tag-value","Values":["x"]}]}`: "s0 <nil>",
		`{"Filters":[{"Key":"name","Values":["!s0"]}]}`:                                      "s2 s1 <nil>",
		`{"Filters":[{"Key":"all","Values":["other"]}]}`:                                     "s2 <nil>",
		`{"Filters":[{"Key":"name","Values":["s1","s2"]}],"SortOrder":"asc"}`:                "s1 s2 <nil>",
		`{"NextToken":"x"}`: "400 map[Message:Invalid NextToken __type:InvalidNextTokenException]",
	} {
		if got := names(body); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

// Secrets are kept where nobody else reads them.
func TestSecretsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	api := open(t, dir)
	name := "long/" + strings.Repeat("n", 500)
	wiretest.Ask(t, api, "CreateSecret", `{"Name":"`+name+`","SecretString":"one","Tags":[{"Key":"k","Value":"v"}]}`)
	_, before := wiretest.Ask(t, api, "ListSecrets", `{}`)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for path, mode := range map[string]fs.FileMode{dir: 0o700, files[0]: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	api = open(t, dir)
	_, after := wiretest.Ask(t, api, "ListSecrets", `{}`)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("list (-before +after)\n%s", diff)
	}
	if _, got := wiretest.Ask(t, api, "GetSecretValue", `{"SecretId":"`+name+`"}`); got["SecretString"] != "one" {
		t.Errorf("secret %v", got)
	}
}

func FuzzAPI(f *testing.F) {
	wiretest.Fuzz(f, open(f, f.TempDir()), map[string]string{
		"CreateSecret": `{"Name":"a","SecretString":"s","Tags":[{"Key":"k","Value":"v"}]}`, "PutSecretValue": `{"SecretId":"a","SecretBinary":"AA=="}`,
		"ListSecrets": `{"Filters":[{"Key":"all","Values":["!"]}],"MaxResults":1,"NextToken":"1"}`, "DeleteSecret": `{"SecretId":"arn:","RecoveryWindowInDays":7}`,
	})
}
