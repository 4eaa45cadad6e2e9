package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openfaas/faas-provider/types"
)

// TestJVMAsAContainerImage deploys a JVM with Debian's OpenJDK, which with all
// that it depends on is more than a zip may be: the function becomes a container
// image by itself.
func TestJVMAsAContainerImage(t *testing.T) {
	l := language{
		suite: "trixie", packages: []string{"openjdk-21-jdk-headless"}, file: "Echo.java",
		process: "java -Xshare:auto -XX:TieredStopAtLevel=1 Echo.java",
		env:     []string{"JAVA_HOME=/usr/lib/jvm/java-21-openjdk-" + arch, "PATH=/usr/lib/jvm/java-21-openjdk-" + arch + "/bin:/usr/bin:/bin"},
	}
	ref := push(t, "functions/jvm:1", l.image(t))
	deploy(t, types.FunctionDeployment{
		Service: "jvm", Image: ref, Limits: &types.FunctionResources{Memory: "1Gi"}, EnvVars: map[string]string{"exec_timeout": "60s"},
	})
	answer, err := shared.up.Do(t.Context(), http.MethodPost, "/function/jvm", []byte("ping"))
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusOK || !strings.HasPrefix(string(answer.Body), "ping /usr/lib/jvm/java-21-openjdk-"+arch) {
		t.Errorf("status %d: %s\n%s", answer.Status, answer.Body, tail(shared.log.String()))
	}
	told := *status(t, "jvm").Annotations
	if told["com.openfaas.lambda/package-type"] != "image" {
		t.Errorf("describe shows %v", told)
	}
}
