package recorded

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
)

// with returns a request with others' members added or replaced.
func with(in m, more ...m) m {
	out := maps.Clone(in)
	for _, other := range more {
		maps.Copy(out, other)
	}
	return out
}

// zipOf packs a function's source. The same text makes the same zip.
func zipOf(text string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("handler.py")
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // into memory
	}
	return out.Bytes()
}

// zipSized returns a zip of so many bytes.
func zipSized(n int) []byte {
	plain := zipCommented("")
	data := zipCommented(strings.Repeat(" ", n-len(plain)))
	if len(data) != n {
		panic(fmt.Sprintf("zip of %d bytes: %d", n, len(data)))
	}
	return data
}

func zipCommented(comment string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	_, err := w.Create("a")
	if err == nil {
		err = w.SetComment(comment)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // into memory
	}
	return out.Bytes()
}

const layerText, echoText, versionText = "layer", "echo", "version"

// names counts functions and layers, so that no two are called the same.
var names atomic.Int64

func name(prefix string) string { return fmt.Sprintf("%s-%d", prefix, names.Add(1)) }

// function is what most cases create.
func function(name string, more ...m) m {
	return with(m{
		"FunctionName": name, "Handler": "index.handler", "Code": m{"ZipFile": zipOf(echoText + name)}, "PackageType": "Zip", "Role": role,
		"Runtime": "python3.12",
	}, more...)
}

// create makes a function and waits until it is active.
func (r *replay) create(step, name string, more ...m) m {
	r.t.Helper()
	out := r.do(step, "CreateFunction", function(name, more...))
	if out["Error"] == nil {
		r.settle(name)
	}
	return out
}

// helped is a function as the recorder's helper makes it: most cases use that, and it has its own defaults.
func helped(name string, more ...m) m {
	in := function(name, m{"Handler": "handler.handler", "Timeout": 30, "Environment": m{"Variables": m{}}, "Tags": m{}})
	delete(in, "PackageType")
	return with(in, more...)
}

// help makes a function by the helper, whose answer has an event source mapping beside it.
func (r *replay) help(step, name string, more ...m) m {
	r.t.Helper()
	out := r.call("CreateFunction", helped(name, more...))
	switch {
	case out["Error"] != nil && step == "":
		r.problems = append(r.problems, fmt.Sprintf("CreateFunction %s: %s", name, short(out["Error"])))
		return out
	case out["Error"] != nil:
		r.check(step, out)
		return out
	case step != "":
		r.check(step, m{"CreateEventSourceMappingResponse": nil, "CreateFunctionResponse": out})
	}
	r.settle(name)
	return out
}

// update changes a function's configuration and waits for the end of that.
func (r *replay) update(step, name string, in m) m {
	r.t.Helper()
	out := r.do(step, "UpdateFunctionConfiguration", with(in, m{"FunctionName": name}))
	if out["Error"] == nil {
		r.settle(name)
	}
	return out
}

// get compares a function with its recorded self, of a qualifier where one is given.
func (r *replay) get(step, name string, qualifier ...string) m {
	r.t.Helper()
	in := m{"FunctionName": name}
	if len(qualifier) > 0 {
		in["Qualifier"] = qualifier[0]
	}
	return r.do(step, "GetFunction", in)
}

// config is get of the configuration alone.
func (r *replay) config(step, name string) m {
	r.t.Helper()
	return r.do(step, "GetFunctionConfiguration", m{"FunctionName": name})
}

// text is a member of an answer.
func text(out m, path ...string) string {
	for _, name := range path[:len(path)-1] {
		out, _ = out[name].(m)
	}
	value, _ := out[path[len(path)-1]].(string)
	return value
}
