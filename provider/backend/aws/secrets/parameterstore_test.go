package secrets

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// fakeParameters is as much of Parameter Store as secrets need.
type fakeParameters struct {
	mu  sync.Mutex // guards all
	all map[string]fakeParameter
}

type fakeParameter struct {
	value, kind, key string
	tags             map[string]string
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
	type parameter struct{ Name, KeyId string }
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
			page.Parameters = append(page.Parameters, parameter{name, f.all[name].key})
		}
	}
	return page
}

func parametersOn(t *testing.T) (Store, *fakeParameters) {
	t.Helper()
	fake := &fakeParameters{all: map[string]fakeParameter{}}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return InParameterStore(ssm.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "s", ""),
	})), fake
}

func at(name string) Key { return Key{"openfaas-fn", name} }

func TestParameterStore(t *testing.T) {
	store, fake := parametersOn(t)
	ctx := t.Context()
	for _, name := range []string{"zwei", "eins"} {
		if err := store.Create(ctx, at(name), []byte("value of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if p := fake.all["/faas-lambda/openfaas-fn/eins"]; p.value != "value of eins" || p.kind != "SecureString" || p.tags["faas-lambda:secret"] != "eins" || p.tags["faas-lambda:namespace"] != "openfaas-fn" {
		t.Errorf("kept %+v", p)
	}
	names, err := store.Names(ctx, "openfaas-fn")
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"eins", "zwei"}) {
		t.Errorf("listed %v, %v", names, err)
	}
	if err := store.Update(ctx, at("eins"), []byte("neu")); err != nil || fake.all["/faas-lambda/openfaas-fn/eins"].value != "neu" {
		t.Errorf("update: %v", err)
	}
	if r := store.Reference(at("eins")); r != "ssm:/faas-lambda/openfaas-fn/eins" {
		t.Errorf("referred to as %s", r)
	}
	if err := store.Remove(ctx, at("eins")); err != nil {
		t.Error(err)
	}
	if err := store.Create(ctx, at("eins"), []byte("again")); err != nil {
		t.Errorf("create again: %v", err)
	}
}

func TestWhatParameterStoreDoesNotKeep(t *testing.T) {
	store, fake := parametersOn(t)
	fake.all["/faas-lambda/openfaas-fn/theirs"] = fakeParameter{value: "kept"}
	fake.all["/faas-lambda/openfaas-fn/ours"] = fakeParameter{tags: at("ours").tags()}
	ctx, x := t.Context(), []byte("x")
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"a second of a name", store.Create(ctx, at("ours"), x), backend.ErrExists},
		{"a name that others have", store.Create(ctx, at("theirs"), x), backend.ErrConflict},
		{"update of others'", store.Update(ctx, at("theirs"), x), backend.ErrNotFound},
		{"delete of others'", store.Remove(ctx, at("theirs")), backend.ErrNotFound},
		{"update of a missing one", store.Update(ctx, at("missing"), x), backend.ErrNotFound},
		{"delete of a missing one", store.Remove(ctx, at("missing")), backend.ErrNotFound},
		{"binary", store.Create(ctx, at("b"), []byte{0xff}), backend.ErrInvalid},
		{"too long", store.Create(ctx, at("l"), bytes.Repeat(x, 8193)), backend.ErrInvalid},
		{"no file's name", store.Create(ctx, at("../x"), x), backend.ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
	if fake.all["/faas-lambda/openfaas-fn/theirs"].value != "kept" {
		t.Error("others' parameter was changed")
	}
}

func TestFindAll(t *testing.T) {
	store, fake := parametersOn(t)
	for name, key := range map[string]string{"a": "alias/aws/ssm", "b": "alias/own", "c": "alias/own", "d": "arn:key"} {
		fake.all["/faas-lambda/openfaas-fn/"+name] = fakeParameter{tags: at(name).tags(), key: key}
	}
	keys, missing, err := FindAll(t.Context(), store, "openfaas-fn", []string{"d", "x", "c", "b", "a", "e"})
	if err != nil || !slices.Equal(keys, []string{"alias/own", "arn:key"}) || !slices.Equal(missing, []string{`"x"`, `"e"`}) {
		t.Errorf("keys %q, missing %q, %v", keys, missing, err)
	}
}
