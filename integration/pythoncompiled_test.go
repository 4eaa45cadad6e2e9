package integration

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// compile answers with the compiled form of the module that it is sent. The time
// of the source is 0, as in the images that are made here.
const compile = `import base64, os, py_compile, sys
source, target = "/tmp/greeting.py", "/tmp/greeting.pyc"
with open(source, "w") as f:
    f.write(sys.stdin.read())
os.utime(source, (0, 0))
py_compile.compile(source, cfile=target, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
with open(target, "rb") as f:
    print(base64.b64encode(f.read()).decode(), end="")
`

// TestCompiledPythonModulesCount has modules that were compiled from something
// else than what is beside them, so that the function tells which of the two
// Python reads: the compiled one where the image's own Python would, though no
// package keeps the time of the source.
func TestCompiledPythonModulesCount(t *testing.T) {
	ask := func(name string, body string, files fixture.Layer) string {
		l := python.on("trixie")
		l.process, l.env, l.base = "python3 main.py", []string{"mode=serializing"}, files
		deploy(t, types.FunctionDeployment{Service: name, Image: push(t, "functions/"+name+":1", l.image(t))})
		answer, err := shared.up.Do(t.Context(), http.MethodPost, "/function/"+name, []byte(body))
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("status %d, %v: %s\n%s", answer.Status, err, answer.Body, tail(shared.log.String()))
		}
		return string(answer.Body)
	}
	compiled, err := base64.StdEncoding.DecodeString(ask("py-compile", "word = 'compiled'\n", fixture.Layer{"home/app/main.py": fixture.Text(compile)}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ source, want string }{
		"py-current": {"word = 'a source'\n", "compiled"}, // as long, and as old
		"py-stale":   {"word = 'source'\n", "source"},
	} {
		if got := ask(name, "", fixture.Layer{
			"home/app/main.py":                              fixture.Text("import greeting\nprint(greeting.word, end='')\n"),
			"home/app/greeting.py":                          fixture.Text(c.source),
			"home/app/__pycache__/greeting.cpython-313.pyc": fixture.Text(string(compiled)),
		}); got != c.want {
			t.Errorf("%s: Python read what is %s, want %s", name, got, c.want)
		}
	}
}
