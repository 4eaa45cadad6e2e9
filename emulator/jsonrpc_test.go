package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ask sends one operation of JSON 1.1 and returns the status and the answer.
func (h *harness) ask(target, body string) (int, map[string]any) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.http.URL, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal(data, &got); err != nil {
		h.t.Fatalf("%s answered %s: %v", target, data, err)
	}
	if res.Header.Get("X-Amzn-Requestid") == "" || res.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		h.t.Errorf("%s: headers %v", target, res.Header)
	}
	return res.StatusCode, got
}

var changing = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"|:[0-9]{10}(\.[0-9]+)?\b|-[A-Z2-7]{6}"`)

// step is an operation and the whole answer to it: an id as "ID", a time as :TIME, the end of an ARN as -RANDOM.
type step struct{ name, target, body, want string }

func (h *harness) steps(service string, steps []step) {
	for _, s := range steps {
		status, got := h.ask(service+"."+s.target, s.body)
		text, err := json.Marshal(got)
		if err != nil {
			h.t.Fatal(err)
		}
		plain := changing.ReplaceAllStringFunc(string(text), func(m string) string {
			switch m[0] {
			case '"':
				return `"ID"`
			case ':':
				return ":TIME"
			}
			return `-RANDOM"`
		})
		if diff := cmp.Diff(s.want, fmt.Sprintf("%d %s", status, plain)); diff != "" {
			h.t.Errorf("%s (-want +got)\n%s", s.name, diff)
		}
	}
}

const (
	secretARN  = `"ARN":"arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b-RANDOM"`
	wasDeleted = `400 {"Message":"You can't perform this operation on the secret because it was marked for deletion.","__type":"InvalidRequestException"}`
	noSecret   = `400 {"Message":"Secrets Manager can't find the specified secret.","__type":"ResourceNotFoundException"}`
)

func TestSecretsManager(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	h.steps("secretsmanager", []step{
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
		{"no JSON", "GetSecretValue", `{`, `400 {"__type":"SerializationException"}`},
	})
}

func TestSecretVersionIsIdempotent(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	id := strings.Repeat("i", 32)
	h.ask("secretsmanager.CreateSecret", `{"Name":"a","SecretString":"one"}`)
	put := `{"SecretId":"a","SecretString":"two","ClientRequestToken":"` + id + `"}`
	for range 2 {
		if status, got := h.ask("secretsmanager.PutSecretValue", put); status != 200 || got["VersionId"] != id {
			t.Errorf("%d %v", status, got)
		}
	}
	if status, got := h.ask("secretsmanager.PutSecretValue", strings.Replace(put, "two", "three", 1)); status != 400 || got["__type"] != "ResourceExistsException" {
		t.Errorf("%d %v", status, got)
	}
	_, got := h.ask("secretsmanager.DescribeSecret", `{"SecretId":"a"}`)
	if stages := got["VersionIdsToStages"].(map[string]any); len(stages) != 2 || fmt.Sprint(stages[id]) != "[AWSCURRENT]" {
		t.Errorf("stages %v", stages)
	}
}

func TestListSecrets(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	for i, tags := range []string{`{"Key":"of","Value":"x"}`, `{"Key":"of","Value":"y"}`, `{"Key":"other","Value":"x"}`} {
		h.ask("secretsmanager.CreateSecret", fmt.Sprintf(`{"Name":"s%d","SecretString":"v","Tags":[%s]}`, i, tags))
	}
	h.ask("secretsmanager.CreateSecret", `{"Name":"gone","SecretString":"v"}`)
	h.ask("secretsmanager.DeleteSecret", `{"SecretId":"gone"}`)
	names := func(body string) string {
		status, got := h.ask("secretsmanager.ListSecrets", body)
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

func TestParameterStore(t *testing.T) {
	t.Parallel()
	const arn = `"ARN":"arn:aws:ssm:us-east-1:000000000000:parameter/a/b"`
	h := start(t, Options{})
	h.steps("AmazonSSM", []step{
		{"missing", "GetParameter", `{"Name":"/a/b"}`, `400 {"__type":"ParameterNotFound"}`},
		{"no type", "PutParameter", `{"Name":"/a/b","Value":"x"}`, `400 {"__type":"ValidationException","message":"A parameter type is required when you create a parameter."}`},
		{"relative", "PutParameter", `{"Name":"a/b","Value":"x","Type":"String"}`, `400 {"__type":"ValidationException","message":"Parameter name must be a fully qualified name."}`},
		{"put", "PutParameter", `{"Name":"/a/b","Value":"one","Type":"SecureString"}`, `200 {"Tier":"Standard","Version":1}`},
		{"again", "PutParameter", `{"Name":"/a/b","Value":"x","Type":"String"}`, `400 {"__type":"ParameterAlreadyExists","message":"The parameter already exists. To overwrite this value, set the overwrite option in the request to true."}`},
		{"overwrite", "PutParameter", `{"Name":"/a/b","Value":"two","Overwrite":true}`, `200 {"Tier":"Standard","Version":2}`},
		{"decrypted", "GetParameter", `{"Name":"/a/b","WithDecryption":true}`, `200 {"Parameter":{` + arn + `,"DataType":"text","LastModifiedDate":TIME,"Name":"/a/b","Type":"SecureString","Value":"two","Version":2}}`},
		{"by ARN", "GetParameter", `{"Name":"arn:aws:ssm:us-east-1:000000000000:parameter/a/b","WithDecryption":true}`, `200 {"Parameter":{` + arn + `,"DataType":"text","LastModifiedDate":TIME,"Name":"/a/b","Type":"SecureString","Value":"two","Version":2}}`},
		{"sealed", "GetParameter", `{"Name":"/a/b"}`, `200 {"Parameter":{` + arn + `,"DataType":"text","LastModifiedDate":TIME,"Name":"/a/b","Type":"SecureString","Value":"AQICAHP8TM/nRYcOLA2Z9x8w/wZWyN7dQcwdfT03aw2+aF4vM=","Version":2}}`},
		{"too long", "PutParameter", `{"Name":"/c","Type":"String","Value":"` + strings.Repeat("x", 4097) + `"}`, `400 {"__type":"ValidationException","message":"Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."}`},
		{"delete", "DeleteParameter", `{"Name":"/a/b"}`, `200 {}`},
		{"delete again", "DeleteParameter", `{"Name":"/a/b"}`, `400 {"__type":"ParameterNotFound"}`},
	})
}

func TestSecretsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{DataDir: dir})
	h.ask("secretsmanager.CreateSecret", `{"Name":"long/`+strings.Repeat("n", 500)+`","SecretString":"one","Tags":[{"Key":"k","Value":"v"}]}`)
	h.ask("AmazonSSM.PutParameter", `{"Name":"/p","Value":"two","Type":"SecureString"}`)
	_, before := h.ask("secretsmanager.ListSecrets", `{}`)
	h.stop()
	for _, sub := range []string{"secretsmanager", "ssm"} {
		if info, err := os.Stat(filepath.Join(dir, sub)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", sub, info.Mode(), err)
		}
		files, err := filepath.Glob(filepath.Join(dir, sub, "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", files[0], info.Mode(), err)
		}
	}
	h = start(t, Options{DataDir: dir})
	_, after := h.ask("secretsmanager.ListSecrets", `{}`)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("list (-before +after)\n%s", diff)
	}
	if _, got := h.ask("secretsmanager.GetSecretValue", `{"SecretId":"long/`+strings.Repeat("n", 500)+`"}`); got["SecretString"] != "one" {
		t.Errorf("secret %v", got)
	}
	if _, got := h.ask("AmazonSSM.GetParameter", `{"Name":"/p","WithDecryption":true}`); got["Parameter"].(map[string]any)["Value"] != "two" {
		t.Errorf("parameter %v", got)
	}
}

func FuzzJSONCalls(f *testing.F) {
	for target, body := range map[string]string{
		"secretsmanager.CreateSecret": `{"Name":"a","SecretString":"s","Tags":[{"Key":"k","Value":"v"}]}`, "secretsmanager.PutSecretValue": `{"SecretId":"a","SecretBinary":"AA=="}`,
		"secretsmanager.ListSecrets": `{"Filters":[{"Key":"all","Values":["!"]}],"MaxResults":1,"NextToken":"1"}`, "secretsmanager.DeleteSecret": `{"SecretId":"arn:","RecoveryWindowInDays":7}`,
		"AmazonSSM.PutParameter": `{"Name":"/a","Value":"v","Type":"String"}`, "AmazonSSM.GetParameter": `{"Name":"arn:aws:ssm:r:1:parameter"}`,
	} {
		f.Add(target, body)
	}
	dir := f.TempDir()
	secrets, err := openSecretsManager(dir, "r", "1")
	if err != nil {
		f.Fatal(err)
	}
	parameters, err := openParameterStore(dir, "r", "1")
	if err != nil {
		f.Fatal(err)
	}
	calls := secrets.calls()
	for target, c := range parameters.calls() {
		calls[target] = c
	}
	f.Fuzz(func(t *testing.T, target, body string) {
		c := calls[target]
		if c == nil {
			return
		}
		w, r := recorded(target, body)
		c(w, r)
		if w.Code != 200 && w.Code != 400 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s", target, body, w.Code, w.Body)
		}
	})
}

func recorded(target, body string) (*httptest.ResponseRecorder, *http.Request) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	return httptest.NewRecorder(), r
}
