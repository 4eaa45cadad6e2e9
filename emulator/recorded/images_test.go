package recorded

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"

	ref "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

var imageCases = map[string]func(*replay){
	"TestLambdaImages::test_lambda_image_crud":                  imageLifecycle,
	"TestLambdaImages::test_lambda_image_and_image_config_crud": imageConfigLifecycle,
	"TestLambdaImages::test_lambda_zip_file_to_image":           zipToImage,
	"TestLambdaImages::test_lambda_image_versions":              imageVersions,
}

// images is a registry with an image in each of the repositories.
func (r *replay) images(repositories ...string) (uris []string) {
	r.t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	if t, ok := r.t.(interface{ Cleanup(func()) }); ok {
		t.Cleanup(server.Close)
	}
	for _, repository := range repositories {
		uri := strings.TrimPrefix(server.URL, "http://") + "/" + repository + ":latest"
		image, err := random.Image(100, 1)
		if err == nil {
			image, err = mutate.ConfigFile(image, configured(image))
		}
		if err != nil {
			r.t.Fatal(err)
		}
		name, err := ref.ParseReference(uri)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := remote.Write(name, image, remote.WithContext(r.t.Context())); err != nil {
			r.t.Fatal(err)
		}
		uris = append(uris, uri)
	}
	return uris
}

// configured says what the image is for, and what it runs.
func configured(image v1.Image) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		panic(err) // of an image in memory
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Cmd = "linux", "amd64", []string{"/bin/sh"}
	return config
}

// imageFunction is a function of an image.
func imageFunction(f, uri string, more ...m) m {
	return with(m{
		"FunctionName": f, "Role": role, "Code": m{"ImageUri": uri}, "PackageType": "Image", "Environment": m{"Variables": m{"CUSTOM_ENV": "test"}},
	}, more...)
}

func (r *replay) look(f, code, config string) {
	r.t.Helper()
	r.get(code, f)
	r.config(config, f)
}

func imageLifecycle(r *replay) {
	uris, f := r.images("alpine", "debian"), name("f")
	r.do("create-image-response", "CreateFunction", imageFunction(f, uris[0]))
	r.settle(f)
	r.look(f, "get-function-code-response", "get-function-config-response")
	r.do("image-to-zipfile-error", "UpdateFunctionCode", m{"FunctionName": f, "ZipFile": zipOf(echoText)})
	r.do("update-function-code-response", "UpdateFunctionCode", m{"FunctionName": f, "ImageUri": uris[1]})
	r.settle(f)
	r.look(f, "get-function-code-response-after-update", "get-function-config-response-after-update")
}

func imageConfigLifecycle(r *replay) {
	uris, f := r.images("alpine"), name("f")
	r.do("create-image-with-config-response", "CreateFunction", imageFunction(f, uris[0], m{
		"ImageConfig": m{"EntryPoint": []string{"sh"}, "Command": []string{"-c", "echo test"}, "WorkingDirectory": "/app1"},
	}))
	r.settle(f)
	r.look(f, "get-function-code-with-config-response", "get-function-config-with-config-response")
	r.update("update-function-code-response", f, m{"ImageConfig": m{"Command": []string{"-c", "echo test1"}, "WorkingDirectory": "/app1"}})
	r.look(f, "get-function-code-response-after-update", "get-function-config-response-after-update")
	r.update("update-function-code-delete-imageconfig-response", f, m{"ImageConfig": m{}})
	r.look(f, "get-function-code-response-after-delete-imageconfig", "get-function-config-response-after-delete-imageconfig")
}

func zipToImage(r *replay) {
	uris, f := r.images("alpine"), name("f")
	r.create("create-image-response", f, m{"Handler": "handler.handler"})
	r.look(f, "get-function-code-response", "get-function-config-response")
	r.do("zipfile-to-image-error", "UpdateFunctionCode", m{"FunctionName": f, "ImageUri": uris[0]})
	r.look(f, "get-function-code-response-after-update", "get-function-config-response-after-update")
}

func imageVersions(r *replay) {
	uris, f := r.images("alpine"), name("f")
	r.do("create_image_response", "CreateFunction", imageFunction(f, uris[0], m{"Publish": true}))
	r.settle(f)
	sha := text(r.get("get_function_result", f), "Configuration", "CodeSha256")
	r.versions("list_versions_result", f)
	r.update("first_update_response", f, m{"Description": "Second version :)"})
	r.get("first_update_get_function", f)
	second := m{"Description": "Second version description :)"}
	r.publish("invalid_sha_publish", f, second, m{"CodeSha256": strings.Repeat("a", 64)})
	r.publish("first_publish_response", f, second, m{"CodeSha256": sha})
	r.update("second_update_response", f, m{"Description": "Third version :)"})
	r.get("second_update_get_function", f)
	r.publish("second_publish_response", f, m{"Description": "Third version description :)"})
}
