package integration

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

// java17 is the template whose image has a whole JDK, in the place of the one of
// openjdk:17-slim that of Debian.
func java17() community {
	home := "/usr/lib/jvm/java-17-openjdk-" + arch
	return community{
		name: "java17", libc: "glibc", suite: "bookworm", packages: []string{"openjdk-17-jdk-headless", "dash", "libc-bin"}, command: "fwatchdog", says: "Hello, world!", large: true,
		env: []string{
			"JAVA_HOME=" + home, "PATH=" + home + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "upstream_url=http://127.0.0.1:8082", "mode=http",
			"CLASSPATH=/home/app/function-1.0/function-1.0.jar:/home/app/function-1.0/lib/*", "fprocess=java -XX:+UseContainerSupport com.openfaas.entrypoint.App",
		},
		standIn: "App.java",
		compile: func(t *testing.T, dir string) fixture.Layer {
			if dir == "" {
				return javaStandIn(t)
			}
			return javaFunction(t, filepath.Join(dir, "function"))
		},
	}
}

func javaStandIn(t *testing.T) fixture.Layer {
	t.Helper()
	source, err := filepath.Abs("functions/community/App.java")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tool(t, dir, "javac", "--release", "17", "-d", "classes", source)
	tool(t, dir, "jar", "--create", "--file", "function-1.0.jar", "-C", "classes", ".")
	app := fixture.Layer{}
	addFolder(t, app, dir, "home/app/function-1.0")
	return app
}

// coordinate is a dependency in a build.gradle that the function has at run time.
var coordinate = regexp.MustCompile(`(?m)^\s*(?:api|implementation)\s+'([^':]+):([^':]+):([^':]+)'`)

// javaFunction compiles the template's own function with Maven, which takes
// Gradle's layout of sources and, from Maven Central, what its build.gradle names:
// Gradle itself is nothing that a package brings.
func javaFunction(t *testing.T, dir string) fixture.Layer {
	t.Helper()
	build, err := os.ReadFile(filepath.Join(dir, "build.gradle"))
	if err != nil {
		t.Fatal(err)
	}
	type dependency struct {
		Group    string `xml:"groupId"`
		Artifact string `xml:"artifactId"`
		Version  string `xml:"version"`
	}
	pom := struct {
		XMLName      xml.Name     `xml:"project"`
		Model        string       `xml:"modelVersion"`
		Group        string       `xml:"groupId"`
		Artifact     string       `xml:"artifactId"`
		Version      string       `xml:"version"`
		Source       string       `xml:"properties>maven.compiler.source"`
		Target       string       `xml:"properties>maven.compiler.target"`
		Encoding     string       `xml:"properties>project.build.sourceEncoding"`
		Dependencies []dependency `xml:"dependencies>dependency"`
	}{Model: "4.0.0", Group: "com.openfaas", Artifact: "function", Version: "1.0", Source: "17", Target: "17", Encoding: "UTF-8"}
	for _, m := range coordinate.FindAllStringSubmatch(string(build), -1) {
		pom.Dependencies = append(pom.Dependencies, dependency{m[1], m[2], m[3]})
	}
	data, err := xml.Marshal(pom)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, dir, "mvn", "-B", "-q", "-Dmaven.test.skip=true", "package", "dependency:copy-dependencies", "-DincludeScope=runtime")
	app := fixture.Layer{}
	addFolder(t, app, filepath.Join(dir, "target", "dependency"), "home/app/function-1.0/lib")
	jar, err := os.ReadFile(filepath.Join(dir, "target", "function-1.0.jar"))
	if err != nil {
		t.Fatal(err)
	}
	app["home/app/function-1.0/function-1.0.jar"] = fixture.File{Mode: 0o644, Data: jar}
	return app
}
