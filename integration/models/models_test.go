package models

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator"
	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

func TestMain(m *testing.M) {
	emulator.Init()
	if err := lambdatest.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// call is a line of testdata: SERVICE OPERATION INPUT, and behind that what is special. Names that an answer has given stand in inputs as ${name}.
type call struct {
	service, operation, in string
	fails                  string // the error's code
	keep, path             string // the name of what the answer has at a path
	until                  string // PATH=VALUE: the call is repeated until its answer has that
}

var line = regexp.MustCompile(`^(\w+) (\w+) (\{.*\})(?: fails ([\w.]+)| keep (\w+)=(\S+)| until (\S+))?$`)

// calls reads a file of them.
func calls(t *testing.T, path string) []call {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []call
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text := lines.Text()
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s: %s", path, text)
		}
		all = append(all, call{m[1], m[2], m[3], m[4], m[5], m[6], m[7]})
	}
	return all
}

// suite makes calls, and counts what it has looked at.
type suite struct {
	dir        string // of the models
	url        string
	models     map[string]*model
	names      map[string]string
	calls      int
	fields     int
	operations map[string]bool
}

// Every answer is as the published model of its service says.
func TestAnswersAreAsPublished(t *testing.T) {
	root, err := fixture.Root()
	if err != nil {
		t.Fatal(err)
	}
	aws, err := emulator.New(emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(aws)
	t.Cleanup(func() {
		if err := aws.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	s := &suite{
		dir: filepath.Join(root, "bin", "models"), url: server.URL, models: map[string]*model{}, operations: map[string]bool{},
		names: map[string]string{"endpoint": server.URL, "zip": base64.StdEncoding.EncodeToString(lambdatest.Packed())},
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			before := *s
			for _, c := range calls(t, file) {
				s.make(t, c)
			}
			t.Logf("%d calls, %d fields", s.calls-before.calls, s.fields-before.fields)
		})
	}
	t.Logf("checked %d fields in the answers to %d calls of %d operations of %d services", s.fields, s.calls, len(s.operations), len(s.models))
}

// make makes a call and checks its answer.
func (s *suite) make(t *testing.T, c call) {
	t.Helper()
	m := s.models[c.service]
	if m == nil {
		var err error
		if m, err = load(s.dir, c.service); err != nil {
			t.Fatal(err)
		}
		s.models[c.service] = m
	}
	o := m.Operations[c.operation]
	if o == nil {
		t.Fatalf("%s has no operation %s", c.service, c.operation)
	}
	s.operations[c.service+c.operation] = true
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		a, out := s.once(t, m, o, c)
		for _, problem := range a.problems {
			t.Errorf("%s %s: %s", c.operation, c.in, problem)
		}
		code := ""
		if a.status >= http.StatusBadRequest {
			if code, _ = a.readError(); m.Metadata.Protocol == "rest-xml" {
				code = c.fails
			}
		}
		switch path, want, until := strings.Cut(c.until, "="); {
		case code != c.fails:
			t.Errorf("%s %s: %d %s, want %q", c.operation, c.in, a.status, a.body, c.fails)
		case until && at(out, path) != want && len(a.problems) == 0:
			if time.Now().Before(deadline) {
				continue
			}
			t.Errorf("%s %s: never %s: %s", c.operation, c.in, c.until, a.body)
		case c.keep != "":
			if s.names[c.keep] = at(out, c.path); s.names[c.keep] == "" {
				t.Errorf("%s %s: nothing at %s: %s", c.operation, c.in, c.path, a.body)
			}
		}
		return
	}
}

func (s *suite) once(t *testing.T, m *model, o *operation, c call) (*answer, any) {
	t.Helper()
	text := c.in
	for name, value := range s.names {
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	var in map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r, err := m.request(t.Context(), s.url, c.service, o, in)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{model: m, operation: o, status: resp.StatusCode, header: resp.Header, body: body}
	out := a.check()
	s.calls++
	s.fields += a.fields
	return a, out
}

// at finds what an answer has at a path such as Messages.0.Body; "" for nothing.
func at(v any, path string) string {
	for part := range strings.SplitSeq(path, ".") {
		switch o := v.(type) {
		case map[string]any:
			v = o[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(o) {
				return ""
			}
			v = o[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
