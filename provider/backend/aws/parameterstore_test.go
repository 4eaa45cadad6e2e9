package aws

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// fakeParameters is as much of Parameter Store as secrets need.
type fakeParameters struct {
	mu  sync.Mutex // guards all
	all map[string]fakeParameter
}

type fakeParameter struct {
	value, kind string
	tags        map[string]string
}

type parameterCall struct {
	Name, Value, Type, NextToken string
	Overwrite                    bool
	Tags                         []struct{ Key, Value string }
	ParameterFilters             []struct {
		Key, Option string
		Values      []string
	}
}

func (f *fakeParameters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if strings.Contains(r.URL.Path, "/functions") {
		_, _ = w.Write([]byte(`{"Functions":[]}`))
		return
	}
	var in parameterCall
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, `{"__type":"SerializationException"}`, http.StatusBadRequest)
		return
	}
	refuse := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": "refused"})
	}
	_, known := f.all[in.Name]
	out := any(map[string]any{})
	switch op := r.Header.Get("X-Amz-Target"); {
	case op == "AmazonSSM.PutParameter" && known && !in.Overwrite:
		refuse("ParameterAlreadyExists")
		return
	case op == "AmazonSSM.PutParameter":
		p := fakeParameter{value: in.Value, kind: in.Type, tags: map[string]string{}}
		if known {
			p.tags = f.all[in.Name].tags
		}
		for _, tag := range in.Tags {
			p.tags[tag.Key] = tag.Value
		}
		f.all[in.Name] = p
	case op == "AmazonSSM.DeleteParameter" && !known:
		refuse("ParameterNotFound")
		return
	case op == "AmazonSSM.DeleteParameter":
		delete(f.all, in.Name)
	case op == "AmazonSSM.DescribeParameters":
		out = f.describe(in)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// describe gives pages of one; mu is held.
func (f *fakeParameters) describe(in parameterCall) any {
	type parameter struct{ Name string }
	page := struct {
		Parameters []parameter
		NextToken  string `json:",omitempty"`
	}{Parameters: []parameter{}}
	for _, name := range slices.Sorted(maps.Keys(f.all)) {
		matches := name > in.NextToken
		for _, filter := range in.ParameterFilters {
			tag, isTag := strings.CutPrefix(filter.Key, "tag:")
			switch {
			case isTag:
				matches = matches && f.all[name].tags[tag] == filter.Values[0]
			case filter.Key == "Name" && filter.Option == "Equals":
				matches = matches && name == filter.Values[0]
			case filter.Key == "Path" && filter.Option == "OneLevel":
				rest, below := strings.CutPrefix(name, filter.Values[0]+"/")
				matches = matches && below && !strings.Contains(rest, "/")
			default:
				matches = false
			}
		}
		if matches && len(page.Parameters) == 1 {
			page.NextToken = page.Parameters[0].Name
			break
		}
		if matches {
			page.Parameters = append(page.Parameters, parameter{name})
		}
	}
	return page
}

func parametersOn(t *testing.T) (*Backend, *fakeParameters) {
	t.Helper()
	fake := &fakeParameters{all: map[string]fakeParameter{}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	b, err := Open(t.Context(), Options{
		MetricsFreshness: -1,
		Namespace:        "openfaas-fn", Role: "arn:aws:iam::000000000000:role/r", Arch: "amd64", Memory: 256, Timeout: time.Minute, CodeBucket: noBucket,
		DeployTimeout: time.Second, Endpoint: server.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s", SecretStore: ParameterStore,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, fake
}

func TestSecretsInParameterStore(t *testing.T) {
	b, fake := parametersOn(t)
	ctx := t.Context()
	secret := func(name, value string) types.Secret {
		return types.Secret{Name: name, Namespace: "openfaas-fn", Value: value}
	}
	for _, name := range []string{"zwei", "eins"} {
		if err := b.CreateSecret(ctx, secret(name, "value of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if p := fake.all["/faas-lambda/openfaas-fn/eins"]; p.value != "value of eins" || p.kind != "SecureString" || p.tags[tagSecret] != "eins" {
		t.Errorf("kept %+v", p)
	}
	list, err := b.Secrets(ctx, "openfaas-fn")
	if err != nil || len(list) != 2 || list[0].Name != "eins" || list[1].Name != "zwei" || list[0].Value != "" {
		t.Errorf("listed %v, %v", list, err)
	}
	if err := b.UpdateSecret(ctx, secret("eins", "neu")); err != nil || fake.all["/faas-lambda/openfaas-fn/eins"].value != "neu" {
		t.Errorf("update: %v", err)
	}
	vars, _, err := b.secretVariables(ctx, "openfaas-fn", []string{"eins", "zwei"})
	if want := `{"eins":"ssm:/faas-lambda/openfaas-fn/eins","zwei":"ssm:/faas-lambda/openfaas-fn/zwei"}`; err != nil || vars[secretsVariable] != want {
		t.Errorf("variables %v, %v", vars, err)
	}
	if err := b.DeleteSecret(ctx, "openfaas-fn", "eins"); err != nil {
		t.Error(err)
	}
	if err := b.CreateSecret(ctx, secret("eins", "again")); err != nil {
		t.Errorf("create again: %v", err)
	}
}

func TestWhatParameterStoreDoesNotKeep(t *testing.T) {
	b, fake := parametersOn(t)
	fake.all["/faas-lambda/openfaas-fn/theirs"] = fakeParameter{value: "kept"}
	fake.all["/faas-lambda/openfaas-fn/ours"] = fakeParameter{tags: map[string]string{tagSecret: "ours", tagNamespace: "openfaas-fn"}}
	ctx := t.Context()
	at := func(name string) types.Secret {
		return types.Secret{Name: name, Namespace: "openfaas-fn", Value: "x"}
	}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"a second of a name", b.CreateSecret(ctx, at("ours")), backend.ErrExists},
		{"a name that others have", b.CreateSecret(ctx, at("theirs")), backend.ErrConflict},
		{"update of others'", b.UpdateSecret(ctx, at("theirs")), backend.ErrNotFound},
		{"delete of others'", b.DeleteSecret(ctx, "openfaas-fn", "theirs"), backend.ErrNotFound},
		{"update of a missing one", b.UpdateSecret(ctx, at("missing")), backend.ErrNotFound},
		{"delete of a missing one", b.DeleteSecret(ctx, "openfaas-fn", "missing"), backend.ErrNotFound},
		{"binary", b.CreateSecret(ctx, types.Secret{Name: "b", Namespace: "openfaas-fn", RawValue: []byte{0xff}}), backend.ErrInvalid},
		{"too long", b.CreateSecret(ctx, types.Secret{Name: "l", Namespace: "openfaas-fn", Value: strings.Repeat("x", 8193)}), backend.ErrInvalid},
		{"no file's name", b.CreateSecret(ctx, at("../x")), backend.ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	if fake.all["/faas-lambda/openfaas-fn/theirs"].value != "kept" {
		t.Error("others' parameter was changed")
	}
	_, _, err := b.secretVariables(ctx, "openfaas-fn", []string{"ours", "missing"})
	if !errors.Is(err, backend.ErrInvalid) || errors.Is(err, backend.ErrNotFound) || !strings.Contains(err.Error(), `secret "missing" not found in namespace openfaas-fn`) {
		t.Errorf("a deployment with a missing secret: %v", err)
	}
}
