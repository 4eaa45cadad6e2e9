// Command runtime is the Lambda custom runtime that the tests of the emulator run in sandboxes. Each event says what to do.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type event struct {
	Do   string
	N    int
	Text string
	Wait string // a URL to get before going on

	Prelude string // what a stream begins with
}

var base = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "spin" {
		for {
			runtime.Gosched()
		}
	}
	switch os.Getenv("INIT") {
	case "exit":
		fmt.Println("exiting at init")
		os.Exit(3)
	case "error":
		post("init/error", nil, strings.NewReader(`{"errorMessage":"bad config","errorType":"Function.Config"}`), "Function.Config")
		os.Exit(1)
	case "hang":
		<-time.After(time.Hour)
	case "exit-once":
		if os.Getenv("AWS_ENDPOINT_URL") != "" {
			r, err := http.Get(os.Getenv("AWS_ENDPOINT_URL") + "/once")
			if err == nil && r.StatusCode == http.StatusTeapot {
				os.Exit(4)
			}
		}
	case "extension":
		registerExtension()
	}
	for {
		next()
	}
}

func registerExtension() {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	r := must(http.NewRequest("POST", url+"register", strings.NewReader(`{"events":[]}`)))
	r.Header.Set("Lambda-Extension-Name", "test")
	answer := must(http.DefaultClient.Do(r))
	id := answer.Header.Get("Lambda-Extension-Identifier")
	go func() {
		r := must(http.NewRequest("GET", url+"event/next", nil))
		r.Header.Set("Lambda-Extension-Identifier", id)
		_, _ = http.DefaultClient.Do(r)
	}()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		fmt.Println("got SIGTERM")
		os.Exit(0)
	}()
}

func next() {
	r := must(http.Get(base + "invocation/next"))
	payload := must(io.ReadAll(r.Body))
	_ = r.Body.Close()
	if r.StatusCode != 200 {
		fmt.Println("next:", r.StatusCode, string(payload))
		os.Exit(9)
	}
	id := r.Header.Get("Lambda-Runtime-Aws-Request-Id")
	var e event
	_ = json.Unmarshal(payload, &e)
	answer, err := handle(e, payload, r.Header)
	switch {
	case err != nil:
		body := fmt.Sprintf(`{"errorMessage":%q,"errorType":"errorString"}`, err)
		post("invocation/"+id+"/error", nil, strings.NewReader(body), "Function.Failed")
	case e.Do == "stream":
		stream(id, e)
	case e.Do == "" && os.Getenv("STREAM") != "":
		e.N = 3
		e.Prelude = os.Getenv("STREAM") + "\x00\x00\x00\x00\x00\x00\x00\x00"
		stream(id, e)
	default:
		code := post("invocation/"+id+"/response", nil, bytes.NewReader(answer), "")
		fmt.Println("response", code)
	}
}

func handle(e event, payload []byte, h http.Header) ([]byte, error) {
	switch e.Do {
	case "fail":
		return nil, fmt.Errorf("%s", e.Text)
	case "exit":
		os.Exit(e.N)
	case "sleep":
		<-time.After(time.Duration(e.N) * time.Millisecond)
	case "get":
		r, err := http.Get(e.Wait)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r.Body)
	case "print":
		fmt.Print(e.Text)
	case "big":
		return bytes.Repeat([]byte("x"), e.N), nil
	case "headers":
		return json.Marshal(h)
	case "read":
		return os.ReadFile(e.Text)
	case "env":
		return json.Marshal(os.Environ())
	case "sh":
		out, err := exec.Command("/bin/sh", "-c", e.Text).CombinedOutput()
		return []byte(strings.TrimSpace(fmt.Sprintf("%s %s", out, errText(err)))), nil
	case "eat":
		eat(e.N)
	case "spin":
		c := exec.Command("/proc/self/exe", "spin")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		return []byte("spinning"), c.Start()
	case "leave":
		// The shell ends at once and leaves an orphan to process 1.
		return []byte("left"), exec.Command("/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 &").Run()
	case "listen":
		l, err := net.Listen("tcp", "127.0.0.1:8082")
		if err != nil {
			return nil, err
		}
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, e.Text) }))
		}()
		return []byte("listening"), nil
	case "raw":
		return raw(e)
	}
	return plain(payload)
}

// plain is for events that say nothing: it does what the environment says.
func plain(payload []byte) ([]byte, error) {
	if os.Getenv("PRINT") != "" {
		fmt.Println("got " + string(payload))
	}
	if text := os.Getenv("FAIL"); text != "" && bytes.Contains(payload, []byte(text)) {
		return nil, fmt.Errorf("told to fail")
	}
	if text := os.Getenv("PARTIAL"); text != "" {
		return partial(payload, text)
	}
	if answer := os.Getenv("ANSWER"); answer != "" {
		return []byte(answer), nil
	}
	return payload, nil
}

// partial answers that the messages of a body failed.
func partial(payload []byte, body string) ([]byte, error) {
	var e struct {
		Records []struct{ MessageID, Body string }
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	type failure struct {
		ItemIdentifier string `json:"itemIdentifier"`
	}
	failed := []failure{}
	for _, r := range e.Records {
		if r.Body == body {
			failed = append(failed, failure{r.MessageID})
		}
	}
	return json.Marshal(map[string]any{"batchItemFailures": failed})
}

// raw sends a request to the Runtime API as the text says, "METHOD path", and answers its status and body.
func raw(e event) ([]byte, error) {
	method, path, _ := strings.Cut(e.Text, " ")
	r, err := http.NewRequest(method, "http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+path, strings.NewReader("{}"))
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	return []byte(strconv.Itoa(answer.StatusCode) + " " + string(body)), err
}

// eat makes memory resident.
func eat(mb int) {
	block := make([]byte, mb<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	runtime.KeepAlive(block)
}

// stream sends N chunks and gets e.Wait between them; Text "break" fails in the middle, "die" ends the process there.
func stream(id string, e event) {
	pr, pw := io.Pipe()
	r := must(http.NewRequest("POST", base+"invocation/"+id+"/response", pr))
	r.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	r.Header.Set("Content-Type", "application/vnd.awslambda.http-integration-response")
	r.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
	go func() {
		fmt.Fprint(pw, e.Prelude)
		for i := range e.N {
			fmt.Fprintf(pw, "chunk %d\n", i)
			if e.Wait != "" {
				if r, err := http.Get(e.Wait + "/" + strconv.Itoa(i)); err == nil {
					_ = r.Body.Close()
				}
			}
		}
		switch e.Text {
		case "die":
			os.Exit(7)
		case "break":
			r.Trailer.Set("Lambda-Runtime-Function-Error-Type", "Function.Broken")
			r.Trailer.Set("Lambda-Runtime-Function-Error-Body", base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"in the middle"}`)))
		case "fill":
			w := bufio.NewWriterSize(pw, 1<<20)
			_, _ = io.CopyN(w, zeros{}, 7<<20)
			_ = w.Flush()
		}
		_ = pw.Close()
	}()
	answer := must(http.DefaultClient.Do(r))
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func post(path string, header http.Header, body io.Reader, errorType string) int {
	r := must(http.NewRequest("POST", base+path, body))
	if errorType != "" {
		r.Header.Set("Lambda-Runtime-Function-Error-Type", errorType)
	}
	answer := must(http.DefaultClient.Do(r))
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(8)
	}
	return v
}
