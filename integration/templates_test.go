package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
	"github.com/faas-lambda/faas-lambda/integration/functions/picture"
	"github.com/faas-lambda/faas-lambda/integration/images"
)

// bases are what a language's image lies on.
var bases = images.Bases(arch)

// packageTypes are the types of packages, those of the table.
var packageTypes = []string{"zip", "layers", "image"}

// cell is a case of the matrix: what it shows, and an error when it does not.
type cell struct {
	name string
	try  func(t *testing.T, function, language string) error
}

var matrixCells = []cell{
	{"JSON", served},
	{"HTML", asks("/html", nil, func(language string, a fixture.Answer) error {
		if string(a.Body) != "<p>"+language+"</p>" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			return unexpected(a)
		}
		return nil
	})},
	{"PNG", asks("/png", nil, func(_ string, a fixture.Answer) error {
		if !bytes.HasPrefix(a.Body, []byte("\x89PNG\r\n")) || a.Header.Get("Content-Type") != "image/png" {
			return unexpected(a)
		}
		return nil
	})},
	{"native dependency", asks("/native", nil, func(_ string, a fixture.Answer) error {
		var got struct{ CRC32 uint32 }
		if err := json.Unmarshal(a.Body, &got); err != nil || got.CRC32 != 0x3610a686 { // of hello
			return unexpected(a)
		}
		return nil
	})},
	{"secret", asks("/secret", nil, func(_ string, a fixture.Answer) error {
		if string(a.Body) != "s3cret" {
			return unexpected(a)
		}
		return nil
	})},
	{"5 MB up and down", asks("/echo", fiveMB(), func(_ string, a fixture.Answer) error {
		if !bytes.Equal(a.Body, fiveMB()) {
			return unexpected(a)
		}
		return nil
	})},
	{"SQS batch", func(t *testing.T, function, _ string) error {
		event := `{"Records":[{"messageId":"1","body":"good","eventSource":"aws:sqs"},{"messageId":"2","body":"bad","eventSource":"aws:sqs"}]}`
		res, err := http.Post(shared.up.AWS+"/2015-03-31/functions/"+function+"/invocations", "application/json", strings.NewReader(event))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if said := strings.ReplaceAll(string(got), " ", ""); err != nil || said != `{"batchItemFailures":[{"itemIdentifier":"2"}]}` {
			return fmt.Errorf("answered %d %s %w", res.StatusCode, got, err)
		}
		return nil
	}},
	{"crash", func(t *testing.T, function, language string) error {
		if a := do(t, http.MethodPost, "/function/"+function+"/crash", nil); a.Status < 500 {
			return unexpected(a)
		}
		return served(t, function, language) // the next one is served
	}},
	{"timeout", func(t *testing.T, function, language string) error {
		// The caller asks for less time than exec_timeout, which leaves what else
		// the tests ask for all the time that a busy machine needs.
		if a := do(t, http.MethodPost, "/function/"+function+"/slow", nil, "X-Timeout", "1s"); a.Status != http.StatusGatewayTimeout {
			return unexpected(a)
		}
		return served(t, function, language)
	}},
}

// served shows that the function answers at all.
var served = asks("/json", nil, func(language string, a fixture.Answer) error {
	var got struct{ Language string }
	if err := json.Unmarshal(a.Body, &got); err != nil || got.Language != language || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		return unexpected(a)
	}
	return nil
})

func unexpected(a fixture.Answer) error {
	return fmt.Errorf("answered %d, %s, %d bytes: %.200q", a.Status, a.Header.Get("Content-Type"), len(a.Body), a.Body)
}

var fiveMB = sync.OnceValue(func() []byte { return bytes.Repeat(picture.PNG(), 5<<20/len(picture.PNG())) })

// asks is a request that is answered 200, and as check says.
func asks(path string, body []byte, check func(language string, a fixture.Answer) error) func(*testing.T, string, string) error {
	return func(t *testing.T, function, language string) error {
		a := do(t, http.MethodPost, "/function/"+function+path, body, "Content-Type", "image/png")
		if a.Status != http.StatusOK {
			return unexpected(a)
		}
		return check(language, a)
	}
}

// TestMatrix builds the functions of integration/functions/matrix with
// faas-lambda build and asks for everything in every type of package.
func TestMatrix(t *testing.T) {
	body, err := json.Marshal(types.Secret{Name: "matrix", Value: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	if a := do(t, http.MethodPost, "/system/secrets", body); a.Status != http.StatusCreated {
		t.Fatalf("create secret: %v", unexpected(a))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "| language | package | %s |\n", strings.Join(names(), " | "))
	fmt.Fprintf(&table, "|---|---|%s\n", strings.Repeat("---|", len(matrixCells)))
	for _, language := range slices.Sorted(maps.Keys(bases)) {
		t.Run(language, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), language)
			base, err := bases[language].Write(t.Context(), arch, filepath.Join(t.TempDir(), "base"))
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{
				"build", "-f", "functions/matrix/stack.yaml", "--templates", "../templates/template", "--filter", language, "--base", base, "-o", dir,
			}, bases[language].BuildArgs...)
			if out, err := faasLambda(t, args...); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, kind := range packageTypes {
				t.Run(kind, func(t *testing.T) { table.WriteString(row(t, language, kind, dir)) })
			}
		})
	}
	tableOf(t, "matrix", table.String(), len(bases)*len(packageTypes)*len(matrixCells))
}

func names() []string {
	var all []string
	for _, c := range matrixCells {
		all = append(all, c.name)
	}
	return all
}

// row deploys a function and fills its row of the table.
func row(t *testing.T, language, kind, dir string) string {
	name := "matrix-" + language + "-" + kind
	var limits *types.FunctionResources
	if memory := bases[language].Memory; memory != "" {
		limits = &types.FunctionResources{Memory: memory}
	}
	deploy(t, types.FunctionDeployment{
		Service: name, Image: "oci:" + dir, Limits: limits, Secrets: []string{"matrix"}, EnvVars: map[string]string{"exec_timeout": "30s", "RAW_BODY": "true"},
		Annotations: &map[string]string{packageAnnotation: kind},
	})
	if got := packageType(t, name); got != kind {
		t.Errorf("%s: the package is of type %s", name, got)
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "| %s | %s |", language, kind)
	for _, c := range matrixCells {
		said := "ok"
		if err := c.try(t, name, language); err != nil {
			said = "FAILED"
			t.Errorf("%s: %v", c.name, err)
		}
		out.WriteString(" " + said + " |")
	}
	if t.Failed() {
		t.Logf("%s", tail(shared.log.String()))
	}
	return out.String() + "\n"
}

// packageType asks Lambda what a function is made of.
func packageType(t *testing.T, function string) string {
	t.Helper()
	res, err := http.Get(shared.up.AWS + "/2015-03-31/functions/" + function + "/configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct {
		PackageType string
		Layers      []struct{ Arn string }
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	switch {
	case got.PackageType == "Image":
		return "image"
	case len(got.Layers) > 0:
		return "layers"
	}
	return "zip"
}
