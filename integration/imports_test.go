package integration

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/faas-lambda/faas-lambda/"

// mayImport is the table of docs/architecture.md: who may import what of this
// repository. A pattern ending in /... stands for the package and all below it.
var mayImport = []struct {
	pkg     string
	allowed []string
}{
	{"watchdog/fwatchdog", []string{"watchdog", "watchdog/watchdogtest", "bootstrap/..."}},
	{"watchdog/watchdogtest", nil},
	{"watchdog", nil},
	{"bootstrap/launch", nil},
	{"bootstrap/event", nil},
	{"bootstrap/runtimeapi", nil},
	{"bootstrap/dial", nil},
	{"bootstrap/fetch", []string{"bootstrap/dial"}},
	{"bootstrap/secrets", []string{"bootstrap/dial"}},
	{"bootstrap/...", []string{"bootstrap/...", "watchdog", "watchdog/watchdogtest"}},
	{"layers", nil},
	{"layers/image/policy", nil},
	{"layers/image", []string{"layers", "layers/image/policy"}},
	{"layers/cache", nil},
	{"layers/press", []string{"layers"}},
	{"layers/flatten", []string{"layers", "layers/image", "layers/cache", "layers/press"}},
	{"layers/relocate/elfedit", []string{"layers"}},
	{"layers/relocate/ldso", []string{"layers/relocate/elfedit"}},
	{"layers/relocate", []string{"layers", "layers/relocate/..."}},
	{"layers/cut", []string{"layers"}},
	{"layers/managed", []string{"layers"}},
	{"layers/push", []string{"layers"}},
	{"layers/bundle", []string{"layers", "layers/cache", "layers/press", "bootstrap/launch"}},
	{"emulator/sandbox", nil},
	{"emulator/image", nil},
	{"emulator/wire/wiretest", nil},
	{"emulator/wire", nil},
	{"emulator/keep", nil},
	{"emulator/faults", nil},
	{"emulator/filter", nil},
	{"emulator/sqs", []string{"emulator/wire", "emulator/keep"}},
	{"emulator/sns", []string{"emulator/wire", "emulator/keep", "emulator/filter"}},
	{"emulator/events", []string{"emulator/wire", "emulator/keep", "emulator/filter"}},
	{"emulator/logs", []string{"emulator/wire"}},
	{"emulator/metrics", []string{"emulator/wire"}},
	{"emulator/ecr", []string{"emulator/wire", "emulator/keep"}},
	{"emulator/identity", []string{"emulator/wire"}},
	{"emulator/iam", []string{"emulator/wire", "emulator/keep"}},
	{"emulator/recorded", []string{"emulator", "emulator/faults"}},
	{"emulator/s3", []string{"emulator/wire", "emulator/keep"}},
	{"emulator/secretsmanager", []string{"emulator/wire", "emulator/wire/wiretest", "emulator/keep"}},
	{"emulator/ssm", []string{"emulator/wire", "emulator/wire/wiretest", "emulator/keep"}},
	{"emulator/lambda/lambdatest", nil},
	{"emulator/lambda", []string{"emulator/wire", "emulator/wire/wiretest", "emulator/keep", "emulator/filter", "emulator/sandbox", "emulator/image", "emulator/lambda/lambdatest"}},
	{"emulator", []string{"emulator/..."}},
	{"provider/config", nil},
	{"provider/bootstraps", nil},
	{"provider/samples", nil},
	{"provider/workshop", nil},
	{"provider/backend", nil},
	{"provider/packaging", []string{"provider/backend", "layers/...", "bootstrap/launch"}},
	{"provider/backend/aws/awserr", []string{"provider/backend"}},
	{"provider/backend/aws/clock", []string{"provider/backend/aws/awserr"}},
	{"provider/backend/aws/doctor", []string{"provider/backend", "provider/backend/aws/awserr"}},
	{"provider/backend/aws/envelope", []string{"provider/backend"}},
	{"provider/backend/aws/eventstream", nil},
	{"provider/backend/aws/invocation/invocationtest", nil},
	{"provider/backend/aws/invocation", []string{"provider/backend", "provider/backend/aws/awserr", "provider/backend/aws/clock", "provider/backend/aws/envelope", "provider/backend/aws/eventstream", "provider/backend/aws/payload"}},
	{"provider/backend/aws/logs", []string{"provider/backend", "provider/backend/aws/awserr", "provider/backend/aws/clock"}},
	{"provider/backend/aws/payload", []string{"provider/backend", "provider/backend/aws/envelope"}},
	{"provider/backend/aws/roles", []string{"provider/backend", "provider/backend/aws/awserr", "provider/backend/aws/clock", "provider/backend/aws/policy"}},
	{"provider/backend/aws/secrets", []string{"provider/backend", "provider/backend/aws/awserr"}},
	{"provider/backend/aws/usage", []string{"provider/backend", "provider/backend/aws/awserr"}},
	{"provider/backend/aws/notation", nil},
	{"provider/backend/aws/annotations", []string{"provider/backend", "provider/backend/aws/notation", "provider/backend/aws/trigger", "provider/packaging", "layers/relocate"}},
	{"provider/backend/aws/policy", []string{"provider/backend/aws/annotations", "provider/backend/aws/notation", "provider/backend/aws/secrets", "provider/backend/aws/trigger"}},
	{"provider/backend/aws/trigger/triggertest", nil},
	{"provider/backend/aws/trigger", []string{"provider/backend", "provider/backend/aws/awserr", "provider/backend/aws/notation"}},
	{"provider/backend/aws", []string{"provider/backend", "provider/backend/aws/...", "provider/backend/backendtest", "provider/packaging", "layers/..."}},
	{"provider/backend/remote", []string{"provider/backend/...", "provider/api"}},     // its tests serve a provider
	{"provider/backend/federation", []string{"provider/backend/...", "provider/api"}}, // its tests too
	{"provider/backend/...", []string{"provider/backend/..."}},
	{"provider/api", []string{"provider/backend", "provider/backend/memory"}},
	{"provider", []string{"provider/...", "emulator", "emulator/faults", "layers/push"}}, // layers/push: a test asks for its error
	{"chart", []string{"provider/config"}},                                               // its tests: the schema of values is made of it
	{"images", nil},
	{"integration/...", []string{"..."}},
}

// onlyImporter names packages outside this repository that one part alone may
// import, tests and packages for tests left aside.
var onlyImporter = map[string]string{
	"github.com/aws/aws-sdk-go-v2": "provider/backend/aws/...",
	"go.podman.io/image":           "layers/image",
}

func TestImportsKeepTheHouseRules(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; packages++ {
		var p struct {
			ImportPath, Dir                    string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if own, ok := strings.CutPrefix(imported, module); ok && own != pkg && !allowed(pkg, own) {
				if matches(pkg+"/...", own) && !slices.Contains(p.Imports, imported) {
					continue // a test may run a package together with those below it
				}
				t.Errorf("%s imports %s, which the house rules do not allow", pkg, own)
			}
		}
		for _, imported := range p.Imports {
			for library, importer := range onlyImporter {
				if strings.HasPrefix(imported, library) && !matches(importer, pkg) && !strings.HasPrefix(pkg, "integration") && !strings.HasSuffix(pkg, "test") {
					t.Errorf("%s imports %s: only %s may", pkg, imported, importer)
				}
			}
		}
	}
	if packages < len(mayImport)/2 {
		t.Errorf("go list found %d packages: the test looked at the wrong tree", packages)
	}
}

// allowed says whether pkg may import own, by the first line that fits pkg.
func allowed(pkg, own string) bool {
	for _, rule := range mayImport {
		if matches(rule.pkg, pkg) {
			return slices.ContainsFunc(rule.allowed, func(pattern string) bool { return matches(pattern, own) })
		}
	}
	return false
}

func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	prefix, below := strings.CutSuffix(pattern, "/...")
	return pkg == prefix || below && strings.HasPrefix(pkg, prefix+"/")
}
