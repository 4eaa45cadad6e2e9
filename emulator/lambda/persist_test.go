package lambda

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/faas-lambda/faas-lambda/emulator/lambda/lambdatest"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	h.Deploy("f", func(in *lambda.CreateFunctionInput) {
		in.Tags = map[string]string{"k": "v"}
		in.Environment = lambdatest.Vars("AA", "b")
	})
	if err := h.Reserve("f", 7); err != nil {
		t.Fatal(err)
	}
	before, err := h.Lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = start(t, Options{Dir: dir})
	after, err := h.Lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	if err != nil {
		t.Fatal(err)
	}
	if *after.Configuration.RevisionId != *before.Configuration.RevisionId || after.Tags["k"] != "v" || *after.Concurrency.ReservedConcurrentExecutions != 7 {
		t.Errorf("after = %+v %v", after.Configuration, after.Tags)
	}
	if got := string(h.Invoke("f", `{"Do":"sh","Text":"echo $AA"}`).Payload); got != "b" {
		t.Errorf("answer = %q", got)
	}
}

// What a killed program left in the middle is finished or removed by the next.
func TestResume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	h.Deploy("f", nil)
	h.Deploy("g", nil)
	h.stop()
	record := filepath.Join(dir, "functions", "f.json")
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte(`"LastUpdateStatus": "Successful"`), []byte(`"LastUpdateStatus": "InProgress"`))
	stale := []string{
		filepath.Join(dir, "functions", ".new-1"), filepath.Join(dir, "code", ".new-2"), filepath.Join(dir, "code", strings.Repeat("0", 64)+".zip"),
		filepath.Join(dir, "sandboxes", "sandbox-3"),
	}
	err = os.WriteFile(record, data, 0o644)
	for _, path := range stale {
		err = errors.Join(err, os.WriteFile(path, []byte("half"), 0o644))
	}
	unpacked, globErr := filepath.Glob(filepath.Join(dir, "code", "[0-9a-f]*[0-9a-f]"))
	if err := errors.Join(err, globErr); err != nil || len(unpacked) != 1 {
		t.Fatal(unpacked, err)
	}
	if err := os.RemoveAll(unpacked[0]); err != nil { // the cache may be removed at any time
		t.Fatal(err)
	}
	h = start(t, Options{Dir: dir})
	h.Updated("f")
	h.Invoke("f", "{}")
	h.Invoke("g", "{}")
	for _, path := range stale {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCodeIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := start(t, Options{Dir: dir})
	h.Deploy("f", nil)
	h.Invoke("f", "{}")
	other := lambdatest.Zip(t, map[string][]byte{"bootstrap": lambdatest.Program, "more": []byte("x")})
	out, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: other, DryRun: true})
	if err != nil || *out.CodeSha256 != codeSha256(zipHash(other)) || out.LastUpdateStatus != "Successful" {
		t.Fatalf("dry run = %+v, %v", out, err)
	}
	_, err = h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: other, RevisionId: aws.String("wrong")})
	lambdatest.WantError(t, err, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	_, err = h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: []byte("no zip")})
	lambdatest.WantError(t, err, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again.")
	if _, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: other}); err != nil {
		t.Fatal(err)
	}
	h.Updated("f")
	if got := string(h.Invoke("f", `{"Do":"sh","Text":"ls"}`).Payload); got != "bootstrap\nmore" {
		t.Errorf("answer = %q", got)
	}
	lambdatest.WaitFor(t, "old code removed", func() bool {
		_, err := os.Stat(filepath.Join(dir, "code", zipHash(lambdatest.Packed())))
		return errors.Is(err, os.ErrNotExist)
	})
}

// A zip whose directory is good and whose data are not fails later: creation for good, an update leaves the function as it was.
func TestBrokenData(t *testing.T) {
	t.Parallel()
	h := start(t, Options{})
	broken := bytes.Clone(lambdatest.Zip(t, map[string][]byte{"bootstrap": bytes.Repeat([]byte("some text "), 1000)}))
	broken[60] ^= 0xff
	in := lambdatest.CreateInput("bad", nil)
	in.Code = zipCode(broken)
	if _, err := h.Lambda.CreateFunction(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	lambdatest.WaitFor(t, "failed", func() bool {
		out, err := h.Lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("bad")})
		return err == nil && out.State == "Failed" && out.StateReasonCode == "InvalidZipFileException" && aws.ToString(out.StateReason) != ""
	})
	_, err := h.TryInvoke(t.Context(), "bad", "{}")
	lambdatest.WantError(t, err, "ResourceConflictException", "following state: Failed")
	h.Deploy("good", nil)
	if _, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("good"), ZipFile: broken}); err != nil {
		t.Fatal(err)
	}
	lambdatest.WaitFor(t, "failed", func() bool {
		out, err := h.Lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("good")})
		return err == nil && out.State == "Active" && out.LastUpdateStatus == "Failed" && *out.CodeSha256 == codeSha256(zipHash(lambdatest.Packed()))
	})
	h.Invoke("good", "{}")
	if _, err := h.Lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("bad"), ZipFile: lambdatest.Packed()}); err != nil {
		t.Fatal(err)
	}
	h.Active("bad")
	h.Invoke("bad", "{}")
}
