// Command handler is a custom runtime as an image of Lambda's own base has it: it
// answers each event with what it finds.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serve(api); err != nil {
			log.Fatal(err)
		}
	}
}

func serve(api string) error {
	next, err := http.Get(api + "next")
	if err != nil {
		return err
	}
	defer next.Body.Close()
	event, err := io.ReadAll(next.Body)
	if err != nil {
		return err
	}
	config, err := os.ReadFile("/var/task/config.txt")
	if err != nil {
		return err
	}
	answer, err := json.Marshal(map[string]any{
		"handler": os.Getenv("_HANDLER"), "stage": os.Getenv("STAGE"), "config": string(config), "event": json.RawMessage(event),
	})
	if err != nil {
		return err
	}
	done, err := http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", bytes.NewReader(answer))
	if err != nil {
		return err
	}
	return done.Body.Close()
}
