package integration

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// faasCLIRequests are the requests of faas-cli, byte for byte as they were
// recorded from it between it and `faas-lambda up`, with their run's values
// replaced. faas-cli itself is in no package registry; TestPeerFaasCLI runs it.
var faasCLIRequests = []struct {
	command string
	request string
	body    string
	status  int
	says    string
}{
	{"login", "GET /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n", "", 200, "["},
	{"login, wrong password", "GET /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nAuthorization: Basic YWRtaW46d3Jvbmc=\r\nAccept-Encoding: gzip\r\n\r\n", "", 401, ""},
	{"version", "GET /system/info HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n", "", 200, `"faas-lambda"`},
	{"namespace list", "GET /system/namespaces HTTP/1.1\r\nHost: {host}\r\nUser-Agent: openfaas-go-sdk\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n", "", 200, `["openfaas-fn"]`},
	{"deploy, first an update", "PUT /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nContent-Length: {length}\r\nAuthorization: Basic {auth}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n", deployBody, 404, "replayed"},
	{"deploy, then a creation", "POST /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nContent-Length: {length}\r\nAuthorization: Basic {auth}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n", deployBody, 202, ""},
	{"deploy again", "PUT /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nContent-Length: {length}\r\nAuthorization: Basic {auth}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n", deployBody, 202, ""},
	{"list -v", "GET /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n", "", 200, `"name":"replayed"`},
	{"describe", "GET /system/function/replayed?usage=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n", "", 200, `"availableReplicas":1`},
	{"invoke", "POST /function/replayed.openfaas-fn HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev (openfaas; linux; amd64)\r\nContent-Length: {length}\r\nContent-Type: text/plain\r\nAccept-Encoding: gzip\r\n\r\n", "world\n", 200, "<h1>Hello, world\n!</h1>\n"},
	{"invoke --query --header --method", "PUT /function/replayed.openfaas-fn?a=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev (openfaas; linux; amd64)\r\nContent-Length: {length}\r\nContent-Type: application/json\r\nX-One: 1\r\nAccept-Encoding: gzip\r\n\r\n", "{}", 200, "<h1>Hello, {}!</h1>\n"},
	{"invoke --async", "POST /async-function/replayed.openfaas-fn HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev (openfaas; linux; amd64)\r\nContent-Length: {length}\r\nContent-Type: text/plain\r\nAccept-Encoding: gzip\r\n\r\n", "x\n", 202, ""},
	{"diff -f", cliAsks("GET", "/system/functions", cliAgent), "", 200, `"labels":{"a":"b","faas_function":"replayed"}`},
	{"store deploy", cliSends("PUT", "/system/functions", cliAgent), `{"service":"stored","image":"{image}","envVars":{"greeting":"x"},"labels":{"a":"b"},"annotations":{}}`, 404, "stored"},
	{"ready", cliAsks("GET", "/system/function/replayed?usage=1", cliAgent), "", 200, `"availableReplicas":1`},
	{"logs --tail=false --lines 5", cliAsks("GET", "/system/logs?follow=false&name=replayed&tail=5", cliAgent), "", 200, ""},
	{"logs --tail=false --since 10m", cliAsks("GET", "/system/logs?follow=false&name=replayed&since=2026-11-24T05%3A15%3A03Z&tail=-1", cliAgent), "", 200, ""},
	{"logs, missing", cliAsks("GET", "/system/logs?follow=false&name=nobody&tail=-1", cliAgent), "", 404, "nobody"},
	{"secret create --from-file", cliSends("POST", "/system/secrets", cliAgent), `{"name":"replayed-key","value":"v","rawValue":"dgo="}`, 201, ""},
	{"secret create, again", cliSends("POST", "/system/secrets", cliAgent), `{"name":"replayed-key","value":"v","rawValue":"dgo="}`, 409, "replayed-key"},
	{"secret update", cliSends("PUT", "/system/secrets", cliAgent), `{"name":"replayed-key","value":"v2"}`, 202, ""},
	{"secret list", cliAsks("GET", "/system/secrets", cliAgent), "", 200, `{"name":"replayed-key","namespace":"openfaas-fn"}`},
	{"secret apply", cliSends("PUT", "/system/secrets", cliAgent), `{"name":"replayed-key","value":"s1","rawValue":"czEK"}`, 202, ""},
	{"secret remove", cliSends("DELETE", "/system/secrets", cliAgent), `{"name":"replayed-key"}`, 202, ""},
	{"secret remove, missing", cliSends("DELETE", "/system/secrets", cliAgent), `{"name":"replayed-key"}`, 404, "replayed-key"},
	{"namespace create", cliSends("POST", "/system/namespace/", sdkAgent), `{"name":"replayed-ns","annotations":{"openfaas":"1"},"labels":{"openfaas":"1"}}`, 201, ""},
	{"namespace get", cliAsks("GET", "/system/namespace/replayed-ns", sdkAgent), "", 200, `"replayed-ns"`},
	{"namespace update", cliSends("PUT", "/system/namespace/replayed-ns", sdkAgent), `{"name":"replayed-ns","annotations":{"openfaas":"1"},"labels":{"a":"b","openfaas":"1"}}`, 202, ""},
	{"list -n", cliAsks("GET", "/system/functions?namespace=replayed-ns", cliAgent), "", 200, "[]"},
	{"namespace remove", cliSends("DELETE", "/system/namespace/replayed-ns", sdkAgent), `{"name":"replayed-ns","labels":{"openfaas":"1"}}`, 202, ""},
	{"namespace get, missing", cliAsks("GET", "/system/namespace/replayed-ns", sdkAgent), "", 404, "replayed-ns"},
	{"remove", "DELETE /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nContent-Length: {length}\r\nAuthorization: Basic {auth}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n", `{"functionName":"replayed"}`, 202, ""},
	{"remove, missing", "DELETE /system/functions HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nContent-Length: {length}\r\nAuthorization: Basic {auth}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n", `{"functionName":"replayed"}`, 404, "replayed"},
	{"describe, missing", "GET /system/function/replayed?usage=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: faas-cli/dev\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n", "", 404, "replayed"},
}

// How faas-cli names itself, and how the SDK that it uses for namespaces does.
const (
	cliAgent = "faas-cli/dev"
	sdkAgent = "openfaas-go-sdk"
)

// cliAsks is a recorded request without a body, cliSends one with JSON.
func cliAsks(method, path, agent string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: {host}\r\nUser-Agent: " + agent + "\r\nAuthorization: Basic {auth}\r\nAccept-Encoding: gzip\r\n\r\n"
}

func cliSends(method, path, agent string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: {host}\r\nUser-Agent: " + agent + "\r\nContent-Length: {length}\r\nAuthorization: Basic {auth}\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
}

const deployBody = `{"service":"replayed","image":"{image}","envProcess":"./handler","envVars":{"greeting":"hi"},"labels":{"a":"b"},"annotations":{"c":"d"},"limits":{"memory":"128Mi"}}`

func TestRequestsOfFaasCLI(t *testing.T) {
	host := strings.TrimPrefix(shared.up.URL, "http://")
	values := strings.NewReplacer("{host}", host, "{image}", push(t, "functions/web:1", middleware(t, "web")),
		"{auth}", base64.StdEncoding.EncodeToString([]byte(shared.up.User+":"+shared.up.Password)))
	for _, c := range faasCLIRequests {
		body := values.Replace(c.body)
		head := strings.ReplaceAll(values.Replace(c.request), "{length}", fmt.Sprint(len(body)))
		status, answer := sendRaw(t, host, head+body)
		if status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: answered %d, want %d with %q:\n%s", c.command, status, c.status, c.says, answer)
		}
	}
}

// sendRaw sends bytes as they are and reads one response.
func sendRaw(t *testing.T, host, request string) (int, string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
