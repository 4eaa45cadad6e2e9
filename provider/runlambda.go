package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// lambdaClient invokes one function of the embedded AWS by Lambda's own API. On
// loopback nothing has to be signed.
type lambdaClient struct{ endpoint, function string }

// invokePath is the path of Lambda's Invoke (docs.aws.amazon.com/lambda, API
// reference). Its runtime interface emulator answers at the same path, with
// "function" for the name.
func invokePath(function string) string {
	return "/2015-03-31/functions/" + function + "/invocations"
}

// ServeHTTP passes an event on as it is, and the function's answer back.
func (c lambdaClient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := c.post(r.Context(), invokePath(c.function), r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	for _, name := range []string{"Content-Type", functionError} {
		if value := answer.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body) // the client has left, or sees it end early
}

// functionError is set on the answer of an invocation that failed in the
// function.
const functionError = "X-Amz-Function-Error"

// send invokes the function and returns its answer. An invocation that failed is
// an error that carries what the function said.
func (c lambdaClient) send(ctx context.Context, event []byte) (_ []byte, err error) {
	answer, err := c.post(ctx, invokePath(c.function), bytes.NewReader(event))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer of function %s: %w", c.function, err)
	}
	switch {
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("invoke function %s: %s", c.function, message(data))
	case answer.Header.Get(functionError) != "":
		return nil, fmt.Errorf("function %s failed: %s", c.function, message(data))
	}
	return data, nil
}

// sendTimes sends an event again and again and prints each answer.
func (c lambdaClient) sendTimes(ctx context.Context, event []byte, times int, out io.Writer) error {
	for range times {
		answer, err := c.send(ctx, event)
		if err != nil {
			return err
		}
		if !bytes.HasSuffix(answer, []byte("\n")) {
			answer = append(answer, '\n')
		}
		if _, err := out.Write(answer); err != nil {
			return fmt.Errorf("write answer: %w", err)
		}
	}
	return nil
}

// post sends a request to the embedded AWS. With the end of its log, the answer
// of an invocation comes when all of it is over: the next one finds its sandbox.
func (c lambdaClient) post(ctx context.Context, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+path, body)
	if err != nil {
		return nil, fmt.Errorf("invoke function %s: %w", c.function, err)
	}
	r.Header.Set("X-Amz-Log-Type", "Tail")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("invoke function %s: %w", c.function, err)
	}
	return answer, nil
}

// message is what an error's document says: Lambda's own, in either spelling, or
// a function's.
func message(document []byte) string {
	var said struct{ Message, ErrorType, ErrorMessage string }
	if err := json.Unmarshal(document, &said); err != nil {
		return strings.TrimSpace(string(document))
	}
	switch {
	case said.Message != "":
		return said.Message
	case said.ErrorType != "" && said.ErrorMessage != "":
		return said.ErrorType + ": " + said.ErrorMessage
	case said.ErrorMessage != "":
		return said.ErrorMessage
	}
	return strings.TrimSpace(string(document))
}
