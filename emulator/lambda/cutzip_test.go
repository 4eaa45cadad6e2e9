package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzCutZip(f *testing.F) {
	large := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("zip"), maxOther))
	for _, request := range []string{
		`{"Code":{"ZipFile":"` + large + `"},"FunctionName":"f"}`, `{"ZipFile" : "` + large + `"}`, `{"ZipFile":"AAAA"}`,
		`{"Description":"\"ZipFile\":\"` + large + `"}`, `{"ZipFile":"` + large, `{"ZipFile":"` + strings.Repeat("\n", maxOther) + `"}`,
		`{"ZipFile":"` + strings.ReplaceAll(large, "p", `\u0070`) + `"}`, `{"Environment":{"Variables":{"ZipFile":"x"}},"Code":{"ZipFile":"` + large + `"}}`,
	} {
		f.Add([]byte(request))
	}
	type request struct {
		Code        struct{ ZipFile []byte }
		ZipFile     []byte
		Description string
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want, got request
		wantErr := json.Unmarshal(data, &want)
		rest, zip := cutZip(bytes.Clone(data))
		err := json.Unmarshal(rest, &got)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error = %v, want %v", err, wantErr)
		}
		if err != nil || zip == nil {
			return
		}
		if got.Description != want.Description || !bytes.Equal(zip, want.Code.ZipFile) && !bytes.Equal(zip, want.ZipFile) {
			t.Fatal("not what a JSON decoder reads")
		}
	})
}
