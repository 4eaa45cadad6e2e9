// Command extension is an external extension of the tests: it prints what it is told. The function's variable EXTENSION says what else it does.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var (
	base = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	mode = os.Getenv("EXTENSION")
	id   string
)

func main() {
	switch mode {
	case "exit":
		os.Exit(7)
	case "hang":
		<-time.After(time.Hour)
	}
	_, root := os.LookupEnv("LAMBDA_TASK_ROOT")
	dir, _ := os.Getwd()
	fmt.Println("extension starts in", dir, "with the task root:", root)
	answer := call("POST", "register", `{"events":["INVOKE","SHUTDOWN"]}`)
	id = answer.Header.Get("Lambda-Extension-Identifier")
	if mode == "init error" {
		call("POST", "init/error", `{"errorMessage":"no licence"}`)
		os.Exit(1)
	}
	for {
		if mode == "wait" { // until the test lets it go on, at init and after every event
			_, _ = http.Get(os.Getenv("AWS_ENDPOINT_URL") + "/extension")
		}
		var event struct{ EventType, RequestID, ShutdownReason string }
		if err := json.NewDecoder(call("GET", "event/next", "").Body).Decode(&event); err != nil {
			os.Exit(2)
		}
		fmt.Println("extension got", event.EventType, event.RequestID+event.ShutdownReason)
		switch {
		case event.EventType == "SHUTDOWN":
			os.Exit(0)
		case mode == "crash":
			os.Exit(8)
		}
	}
}

func call(method, path, body string) *http.Response {
	r, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Lambda-Extension-Name", filepath.Base(os.Args[0]))
	r.Header.Set("Lambda-Extension-Identifier", id)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		os.Exit(2)
	}
	return answer
}
