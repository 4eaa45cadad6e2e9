package aws

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/layers/bundle"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger/triggertest"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// fakeLambda is as much of the Lambda API as a deployment needs, with a hook to
// break it: what the real service and the emulator do only when they are ill.
type fakeLambda struct {
	*Backend
	endpoint string

	mu        sync.Mutex // guards everything below
	functions map[string]*fakeFunction
	calls     []string                                      // operations, in order
	fault     func(op string, w http.ResponseWriter) bool   // true: w is answered
	after     func(op string, f *fakeFunction)              // changes what an operation left
	lose      string                                        // the next answer of this operation is lost
	invoked   func(w http.ResponseWriter, r *http.Request)  // answers invocations
	each      func(http.ResponseWriter, *http.Request) bool // true: w is answered; called without mu
	triggers  *triggertest.AWS                              // nil: there are none
	indexed   bool                                          // there is an index of tags
	page      int                                           // functions on a page; 0: 2
}

type fakeFunction struct {
	config   map[string]any
	tags     map[string]string
	versions []map[string]any // published, by number from 1; nil once deleted
	live     int              // number of the version that the alias names; 0: no alias
	revision int
}

// retag makes another revision, as AWS does when tags change; the function is
// not modified by that.
func (f *fakeFunction) retag() {
	f.revision++
	f.config["RevisionId"] = strconv.Itoa(f.revision)
}

// touch is what every change of $LATEST does.
func (f *fakeFunction) touch() {
	f.revision++
	f.config["RevisionId"] = strconv.Itoa(f.revision)
	f.config["LastModified"] = time.Now().UTC().Format(lastModified)
}

func (f *fakeFunction) alias() map[string]any {
	return map[string]any{"Name": "live", "FunctionVersion": strconv.Itoa(f.live), "RevisionId": strconv.Itoa(f.live)}
}

// version returns the configuration that a qualifier names.
func (f *fakeFunction) version(qualifier string) map[string]any {
	switch qualifier {
	case "":
		return f.config
	case "live":
		qualifier = strconv.Itoa(f.live)
	}
	if n, err := strconv.Atoi(qualifier); err == nil && n > 0 && n <= len(f.versions) {
		return f.versions[n-1]
	}
	return nil
}

func newFakeLambda(t testing.TB) *fakeLambda {
	t.Helper()
	f := &fakeLambda{functions: map[string]*fakeFunction{}, invoked: streams(chunk(`{"statusCode":200}`+nul), end("{}"))}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.endpoint = server.URL
	f.Backend = f.open(t)
	return f
}

// open returns another backend on the same Lambda.
func (f *fakeLambda) open(t testing.TB) *Backend {
	t.Helper()
	b, err := Open(t.Context(), Options{
		MetricsFreshness: -1,
		Namespace:        "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256, Timeout: time.Minute,
		DeployTimeout: time.Minute, MaxBackoff: time.Millisecond, CodeBucket: noBucket, ReadyWait: time.Millisecond, Endpoint: f.endpoint, Region: "us-east-1", AccessKey: "a", SecretKey: "s",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fakeLambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.each != nil && f.each(w, r) {
		return
	}
	f.serve(w, r)
}

func (f *fakeLambda) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "invocations") {
		f.invoked(w, r)
		return
	}
	if target := r.Header.Get("X-Amz-Target"); strings.HasPrefix(target, "secretsmanager.") { // has every secret
		var in struct{ SecretId string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		part := strings.Split(in.SecretId, "/")
		_, _ = fmt.Fprintf(w, `{"Name":%q,"Tags":[{"Key":%q,"Value":%q},{"Key":%q,"Value":%q}]}`, in.SecretId, "faas-lambda:namespace", part[1], "faas-lambda:secret", part[2])
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.triggers != nil && f.triggers.Serve(w, r) {
		return
	}
	op, name := operation(r)
	if op == "GetResources" && !f.indexed {
		refuse(w, 403, "AccessDeniedException", "not here")
		return
	}
	f.calls = append(f.calls, op)
	if op == "GetResources" {
		f.resources(w, r)
		return
	}
	if f.fault != nil && f.fault(op, w) {
		return
	}
	function := f.functions[name]
	if function == nil && op != "CreateFunction" && op != "ListFunctions" {
		refuse(w, 404, "ResourceNotFoundException", "Function not found: "+name)
		return
	}
	var in map[string]any
	if r.Method == "PUT" || r.Method == "POST" {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			refuse(w, 400, "InvalidRequestContentException", err.Error())
			return
		}
	}
	answer := f.do(op, w, r, name, function, in)
	if op == "CreateFunction" {
		name = in["FunctionName"].(string)
	}
	if f.after != nil {
		f.after(op, f.functions[name])
	}
	if answer == nil {
		return // refused
	}
	if f.lose == op {
		f.lose = ""
		cut(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if op == "DeleteFunction" || strings.HasSuffix(op, "Resource") {
		w.WriteHeader(204)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// do performs an operation and returns its answer; mu is held.
func (f *fakeLambda) do(op string, w http.ResponseWriter, r *http.Request, name string, function *fakeFunction, in map[string]any) any {
	switch op {
	case "CreateFunction":
		if f.functions[in["FunctionName"].(string)] != nil {
			refuse(w, 409, "ResourceConflictException", "Function already exist: "+in["FunctionName"].(string))
			return nil
		}
		function = &fakeFunction{tags: map[string]string{}, config: map[string]any{
			"FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:" + in["FunctionName"].(string),
			"CodeSha256":  "sha", "State": "Active", "LastUpdateStatus": "Successful",
		}}
		merge(function.config, in)
		for key, value := range in["Tags"].(map[string]any) {
			function.tags[key] = value.(string)
		}
		function.touch()
		f.functions[in["FunctionName"].(string)] = function
		return function.config
	case "UpdateFunctionConfiguration", "UpdateFunctionCode", "PublishVersion":
		if revision, ok := in["RevisionId"]; ok && revision != function.config["RevisionId"] {
			refuse(w, 412, "PreconditionFailedException", "The RevisionId provided does not match the latest Revision Id.")
			return nil
		}
		return function.change(op, in)
	case "DeleteFunction":
		if n, err := strconv.Atoi(r.URL.Query().Get("Qualifier")); err == nil {
			function.versions[n-1] = nil
			return function.config
		}
		delete(f.functions, name)
	case "ListVersionsByFunction":
		list := []any{}
		for _, v := range function.versions {
			if v != nil {
				list = append(list, v)
			}
		}
		return map[string]any{"Versions": list}
	case "CreateAlias", "UpdateAlias":
		function.live, _ = strconv.Atoi(in["FunctionVersion"].(string))
		return function.alias()
	case "GetAlias":
		if function.live == 0 {
			refuse(w, 404, "ResourceNotFoundException", "Cannot find alias arn: live")
			return nil
		}
		return function.alias()
	case "Concurrency", "EventInvokeConfig":
		return map[string]any{}
	case "TagResource":
		for key, value := range in["Tags"].(map[string]any) {
			function.tags[key] = value.(string)
		}
		function.retag()
	case "UntagResource":
		for _, key := range r.URL.Query()["tagKeys"] {
			delete(function.tags, key)
		}
		function.retag()
	case "ListTags":
		return map[string]any{"Tags": function.tags}
	case "GetFunction":
		config := function.version(r.URL.Query().Get("Qualifier"))
		if config == nil {
			refuse(w, 404, "ResourceNotFoundException", "Function not found: "+name)
			return nil
		}
		return map[string]any{"Configuration": config, "Tags": function.tags}
	case "ListFunctions":
		var names []string
		for name := range f.functions {
			names = append(names, name)
		}
		slices.Sort(names)
		if i := slices.Index(names, r.URL.Query().Get("Marker")); i >= 0 {
			names = names[i:]
		}
		page, size := map[string]any{}, max(f.page, 2)
		if len(names) > size {
			page["NextMarker"], names = names[size], names[:size]
		}
		configs := []any{}
		for _, name := range names {
			configs = append(configs, f.functions[name].config)
		}
		page["Functions"] = configs
		return page
	}
	return function.config
}

// resources answers GetResources for one tag's key; mu is held.
func (f *fakeLambda) resources(w http.ResponseWriter, r *http.Request) {
	var in struct {
		PaginationToken string
		TagFilters      []struct{ Key string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, 400, "InvalidParameterException", err.Error())
		return
	}
	names := slices.Sorted(maps.Keys(f.functions))
	if i := slices.Index(names, in.PaginationToken); i >= 0 {
		names = names[i:]
	}
	token, list := "", []any{}
	for _, name := range names {
		if _, ok := f.functions[name].tags[in.TagFilters[0].Key]; !ok {
			continue
		}
		if len(list) == 100 {
			token = name
			break
		}
		tags := []any{}
		for key, value := range f.functions[name].tags {
			tags = append(tags, map[string]string{"Key": key, "Value": value})
		}
		list = append(list, map[string]any{"ResourceARN": f.functions[name].config["FunctionArn"], "Tags": tags})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"PaginationToken": token, "ResourceTagMappingList": list})
}

// change changes $LATEST, or publishes it.
func (f *fakeFunction) change(op string, in map[string]any) map[string]any {
	defer f.touch()
	switch op {
	case "UpdateFunctionConfiguration":
		merge(f.config, in)
	case "UpdateFunctionCode":
		f.config["CodeSha256"] = "new"
	case "PublishVersion":
		v := maps.Clone(f.config)
		f.versions = append(f.versions, v)
		v["Version"] = strconv.Itoa(len(f.versions))
		return v
	}
	return f.config
}

func merge(config, in map[string]any) {
	for _, key := range []string{"FunctionName", "Role", "MemorySize", "Timeout", "Environment", "Architectures", "Description"} {
		if value, ok := in[key]; ok {
			config[key] = value
		}
	}
}

func operation(r *http.Request) (op, function string) {
	if _, arn, ok := strings.Cut(r.URL.Path, "/tags/"); ok {
		return map[string]string{"GET": "ListTags", "POST": "TagResource", "DELETE": "UntagResource"}[r.Method], arn[strings.LastIndexByte(arn, ':')+1:]
	}
	if r.URL.Path == "/" { // the index of tags
		return "GetResources", ""
	}
	_, rest, _ := strings.Cut(r.URL.Path, "/functions")
	name, sub, _ := strings.Cut(strings.Trim(rest, "/"), "/")
	if name == "" {
		return map[string]string{"GET": "ListFunctions", "POST": "CreateFunction"}[r.Method], ""
	}
	switch {
	case strings.HasSuffix(sub, "concurrency"):
		return "Concurrency", name
	case sub == "event-invoke-config":
		return "EventInvokeConfig", name
	}
	return map[string]string{
		"POST versions": "PublishVersion", "GET versions": "ListVersionsByFunction", "POST aliases": "CreateAlias",
		"GET aliases/live": "GetAlias", "PUT aliases/live": "UpdateAlias", "GET ": "GetFunction", "DELETE ": "DeleteFunction", "GET configuration": "GetFunctionConfiguration",
		"PUT configuration": "UpdateFunctionConfiguration", "PUT code": "UpdateFunctionCode",
	}[r.Method+" "+sub], name
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// changes returns the operations that change something, in order.
func (f *fakeLambda) changes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, op := range f.calls {
		if !strings.HasPrefix(op, "Get") && !strings.HasPrefix(op, "List") {
			out = append(out, op)
		}
	}
	return out
}

// packed is a package that is already made.
func packed(t testing.TB, content string) packaging.Package {
	t.Helper()
	path := filepath.Join(t.TempDir(), "package.zip")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(content))
	return packaging.Package{Path: path, Summary: bundle.Summary{Zipped: int64(len(content)), SHA256: base64.StdEncoding.EncodeToString(sum[:])}}
}

// annotated is a deployment with annotations: names and values in turn.
func annotated(pairs ...string) types.FunctionDeployment {
	all := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return types.FunctionDeployment{Service: "a", Annotations: &all}
}
