package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// cases are those of the watchdogs' contract, numbered as there.
func cases(t *testing.T) []blackBox {
	return slices.Concat(classicCases(), forkCases(), httpCases(t))
}

// environment picks the Http_ variables out of the output of env.
func environment(out string) string {
	var vars []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "Http_") && !strings.HasPrefix(line, "Http_Accept_Encoding") && !strings.HasPrefix(line, "Http_User_Agent") &&
			!strings.HasPrefix(line, "Http_Connection") {
			vars = append(vars, strings.TrimSpace(line))
		}
	}
	slices.Sort(vars)
	return strings.Join(vars, " ")
}

func classicCases() []blackBox {
	return []blackBox{
		{
			name: "1 classic echoes the content type", classic: true, env: []string{"fprocess=cat"},
			observe: func(p *process) string {
				return p.ready().do("POST", "/", "hello", "Content-Type: text/foo").has("X-Duration-Seconds")
			},
			want: `200 "text/foo" "hello" X-Duration-Seconds`,
		},
		{
			name: "1b classic sniffs it", classic: true, env: []string{"fprocess=cat"},
			observe: func(p *process) string { return p.ready().do("POST", "/", "<html>").String() },
			want:    `200 "text/html; charset=utf-8" "<html>"`,
		},
		{
			name: "2 classic content_type", classic: true, env: []string{"fprocess=cat", "content_type=text/plain"},
			observe: func(p *process) string {
				return p.ready().do("POST", "/", "{}", "Content-Type: application/json").String()
			},
			want: `200 "text/plain" "{}"`,
		},
		{
			name: "3 classic environment", classic: true, env: []string{"fprocess=env"},
			observe: func(p *process) string {
				a := p.ready().do("POST", "/p/a%20th?q=1&r=%20", "12345", "X-A: 1", "X-A: 2", "Host: fn.example")
				return environment(a.body)
			},
			want: "Http_ContentLength=5 Http_Content_Length=5 Http_Host=fn.example Http_Method=POST Http_Path=/p/a th Http_Query=q=1&r=%20 Http_X_A=1",
		},
		{
			name: "4 classic chunked", classic: true, env: []string{"fprocess=env"},
			observe: func(p *process) string {
				a, err := p.ready().try(p.t.Context(), "POST", "/", io.MultiReader(strings.NewReader("x")), "Host: h")
				return fmt.Sprint(environment(a.body), err)
			},
			want: "Http_ContentLength=-1 Http_Content_Length=-1 Http_Host=h Http_Method=POST Http_Path=/ Http_Transfer_Encoding=chunked<nil>",
		},
		{
			name: "5 classic cgi_headers=false", classic: true, env: []string{"fprocess=env", "cgi_headers=false"},
			observe: func(p *process) string { return environment(p.ready().do("GET", "/x?y", "").body) },
			want:    "",
		},
		{
			name: "6 classic exit 3", classic: true, env: []string{"fprocess=$FN exit3"},
			observe: func(p *process) string {
				return p.ready().do("POST", "/", "", "Content-Type: text/foo").has("X-Duration-Seconds")
			},
			want: `500 "text/plain; charset=utf-8" "exit status 3\nout-before\nerr-line\n" no X-Duration-Seconds`,
		},
		{
			name: "6b classic combine_output=false", classic: true, env: []string{"fprocess=$FN exit3", "combine_output=false"},
			observe: func(p *process) string {
				a := p.ready().do("POST", "/", "")
				p.until("stderr is logged", func() bool { return p.logged("stderr: err-line") })
				return a.String()
			},
			want: `500 "text/plain; charset=utf-8" "exit status 3\nout-before\n"`,
		},
		{
			name: "6c classic missing binary", classic: true, env: []string{"fprocess=/nonexistent x"},
			observe: func(p *process) string { return p.ready().do("POST", "/", "").String() },
			want:    `500 "text/plain; charset=utf-8" "fork/exec /nonexistent: no such file or directory\n"`,
		},
		{
			name: "7 classic exec_timeout", classic: true, env: []string{"fprocess=sleep 60", "exec_timeout=500ms"},
			observe: func(p *process) string {
				a := p.ready().do("GET", "/", "")
				return a.String() + a.at(500*time.Millisecond)
			},
			want: `408 "text/plain; charset=utf-8" "Killed process.\n" at 500ms`,
		},
		{
			name: "8 classic other methods", classic: true, env: []string{"fprocess=cat"},
			observe: func(p *process) string {
				p.ready()
				return fmt.Sprint(p.do("OPTIONS", "/", ""), p.do("HEAD", "/", ""), p.do("UNKNOWN", "/", ""))
			},
			want: `405 "" "" 405 "" "" 405 "" ""`,
		},
		{
			name: "9 classic marshal_request", classic: true, env: []string{"fprocess=cat", "marshal_request=true"},
			observe: func(p *process) string {
				return regexp.MustCompile(`"(Accept-Encoding|User-Agent|Connection|Content-Length)":\[[^]]*\],?`).ReplaceAllString(
					p.ready().do("POST", "/", "hello", "X-A: 1", "X-A: 2").body, "")
			},
			want: `{"header":{"X-A":["1","2"]},"body":{"raw":"aGVsbG8="}}`,
		},
	}
}

func forkCases() []blackBox {
	return []blackBox{
		{
			name: "10 streaming cat", env: []string{"fprocess=cat"},
			observe: func(p *process) string {
				p.ready()
				return fmt.Sprint(p.do("POST", "/", "hello", "Content-Type: text/foo").has("X-Duration-Seconds"), p.do("OPTIONS", "/", "x"), p.do("WHAT", "/", "y"))
			},
			want: `200 "application/octet-stream" "hello" no X-Duration-Seconds200 "application/octet-stream" "x" 200 "application/octet-stream" "y"`,
		},
		{
			name: "11 streaming exit 3", env: []string{"fprocess=$FN exit3"},
			observe: func(p *process) string {
				a := p.ready().do("POST", "/", "")
				p.until("the status is logged", func() bool { return p.logged("exit status 3") && p.logged("err-line") })
				return a.String()
			},
			want: `200 "application/octet-stream" "out-before\n"`,
		},
		{
			name: "11b streaming environment", env: []string{"fprocess=env"},
			observe: func(p *process) string {
				a, err := p.ready().try(p.t.Context(), "POST", "/p/a%20th?q=1&r=%20", io.MultiReader(strings.NewReader("x")), "X-A: 1", "X-A: 2")
				return fmt.Sprint(environment(a.body), err)
			},
			want: "Http_Method=POST Http_Path=/p/a th Http_Query=q=1&r=%20 Http_Transfer_Encoding=chunked Http_X_A=1<nil>",
		},
		{
			name: "11c streaming exec_timeout", env: []string{"fprocess=sleep 60", "exec_timeout=500ms"},
			observe: func(p *process) string {
				a := p.ready().do("GET", "/", "")
				return a.String() + a.at(500*time.Millisecond)
			},
			want: `200 "application/octet-stream" "" at 500ms`,
		},
		{
			name: "12 serializing exit 3", env: []string{"fprocess=$FN exit3", "mode=serializing", "content_type=application/json"},
			observe: func(p *process) string { return p.ready().do("POST", "/", "").has("X-Duration-Seconds") },
			want:    `500 "application/json" "exit status 3" X-Duration-Seconds`,
		},
		{
			name: "13 serializing missing binary", env: []string{"fprocess=/nonexistent x", "mode=serializing"},
			observe: func(p *process) string { return p.ready().do("POST", "/", "").has("X-Duration-Seconds") },
			want:    `500 "application/octet-stream" "fork/exec /nonexistent: no such file or directory" X-Duration-Seconds`,
		},
		{
			name: "13b serializing cat", env: []string{"fprocess=cat", "mode=serializing"},
			observe: func(p *process) string {
				return p.ready().do("PATCH", "/", strings.Repeat("x", 100)).has("X-Duration-Seconds")
			},
			want: `200 "application/octet-stream" "` + strings.Repeat("x", 100) + `" X-Duration-Seconds`,
		},
		{
			name: "13c serializing exec_timeout", env: []string{"fprocess=sleep 60", "mode=serializing", "exec_timeout=500ms"},
			observe: func(p *process) string {
				a := p.ready().do("GET", "/", "")
				return a.String() + a.at(500*time.Millisecond)
			},
			want: `500 "application/octet-stream" "signal: killed" at 500ms`,
		},
		{
			name: "14 command split", env: []string{"fprocess=$FN argv a  'b c' $HOME"},
			observe: func(p *process) string { return p.ready().do("GET", "/", "").body },
			want:    "[argv][a][]['b][c'][$HOME]",
		},
		{
			name: "14b function_process wins", env: []string{"fprocess=false", "function_process=$FN argv x"},
			observe: func(p *process) string { return p.ready().do("GET", "/", "").body },
			want:    "[argv][x]",
		},
		{
			name: "static", env: []string{"mode=static", "static_path=/etc"},
			observe: func(p *process) string {
				p.ready()
				return fmt.Sprint(p.do("GET", "/hostname", "").status, p.do("GET", "/nothing", "").status)
			},
			want: "200 404",
		},
		{
			name: "prefix_logs=false", env: []string{"fprocess=$FN exit3", "prefix_logs=false"},
			observe: func(p *process) string {
				p.ready().do("GET", "/", "")
				p.until("the line is logged", func() bool { return p.logged("\nerr-line\n") })
				return "plain"
			},
			want: "plain",
		},
		{
			name: "unknown mode", env: []string{"fprocess=cat", "mode=magic"},
			observe: func(p *process) string { return strings.Replace(p.status(), "exit status 2", "exit status 1", 1) },
			want:    "exit status 1",
		},
		{
			name: "no command", env: nil,
			observe: func(p *process) string { return p.status() },
			want:    "exit status 1",
		},
		{
			name: "health and lock", env: []string{"fprocess=cat"},
			observe: func(p *process) string {
				p.ready()
				p.until("health", func() bool { return p.do("GET", "/_/health", "").status == 200 })
				return fmt.Sprint(p.do("GET", "/_/health", "").body, p.do("POST", "/_/health", "").status, p.do("GET", "/_/ready", "").status, p.files())
			},
			want: "OK405 200 [.lock]",
		},
		{
			name: "SIGTERM", env: []string{"fprocess=cat"},
			observe: func(p *process) string {
				p.ready()
				p.until("health", func() bool { return p.do("GET", "/_/health", "").status == 200 })
				p.signal()
				p.until("the lock is gone", func() bool { return fmt.Sprint(p.files()) == "[]" })
				return p.status()
			},
			want: "exit status 0",
		},
	}
}

func httpCases(t *testing.T) []blackBox {
	env := []string{"mode=http", "fprocess=$FN http $UP", "upstream_url=http://$UP"}
	with := func(more ...string) []string { return append(env[:len(env):len(env)], more...) }
	return []blackBox{
		{
			name: "15 http passes everything", env: env,
			observe: func(p *process) string {
				a := p.ready().do("POST", "/p/a%20th/%2E%2e/x?q=1&q=%2f", "hi", "X-A: 1", "X-A: 2, 3", "Host: fn.example")
				return fmt.Sprint(a.body, a.header["X-Back"], a.header.Get("X-Duration-Seconds") != "mine", len(a.header["X-Duration-Seconds"]))
			},
			want: "POST /p/a%20th/%2E%2e/x?q=1&q=%2f fn.example X-A=[\"1\" \"2, 3\"] body=hi[1 2] true 1",
		},
		{
			name: "16 http passes statuses", env: env,
			observe: func(p *process) string {
				p.ready()
				a := p.do("GET", "/302", "")
				return fmt.Sprint(a.status, a.header.Get("Location"), " ", p.do("GET", "/204", ""), p.do("GET", "/500", ""), p.do("HEAD", "/", "").status)
			},
			want: `302/elsewhere 204 "" "" 500 "text/plain; charset=utf-8" "mine\n" 200`,
		},
		{
			name: "17 http exec_timeout", env: with("exec_timeout=1s"),
			observe: func(p *process) string {
				a := p.ready().do("GET", "/sleep?d=60s", "")
				b := p.do("GET", "/sleep?d=60s", "", "X-Timeout: 250ms")
				c := p.do("GET", "/sleep?d=60s", "", "X-Timeout: 60s")
				return fmt.Sprint(a.has("X-OpenFaaS-Internal"), a.at(time.Second), " ", b.status, b.at(250*time.Millisecond), " ", c.status, c.at(time.Second))
			},
			want: `504 "" "" X-OpenFaaS-Internal=of-watchdog at 1s 504 at 250ms 504 at 1s`,
		},
		{
			name: "18 http upstream aborts", env: env,
			observe: func(p *process) string {
				return p.ready().do("POST", "/abort", "x").has("X-OpenFaaS-Internal", "X-Duration-Seconds")
			},
			want: `500 "" "" X-OpenFaaS-Internal=of-watchdog X-Duration-Seconds`,
		},
		{
			name: "19 max_inflight", env: with("max_inflight=1", "exec_timeout=2m"),
			observe: func(p *process) string {
				ctx, cancel := context.WithCancel(p.ready().t.Context())
				defer cancel()
				p.until("it is healthy", func() bool { return p.do("GET", "/_/health", "").status == http.StatusOK })
				held := make(chan struct{})
				go func() {
					defer close(held)
					for ctx.Err() == nil { // it may meet the other request, and be the one that is refused
						_, _ = p.try(ctx, "GET", "/sleep?d=60s", nil)
					}
				}()
				var a answer
				ready := 0
				p.until("one request runs", func() bool { // the other request, for which the first was refused, may be over meanwhile
					a, ready = p.do("GET", "/", "", "X-Timeout: 100ms"), p.do("GET", "/_/ready", "").status
					return a.status == http.StatusTooManyRequests && ready == http.StatusTooManyRequests
				})
				got := fmt.Sprint(a.has("X-OpenFaaS-Internal"), ready, " ", p.do("GET", "/_/health", "").status)
				cancel()
				<-held
				return got
			},
			want: `429 "text/plain" "Concurrent request limit exceeded. Max concurrent requests: 1\n" X-OpenFaaS-Internal=faas-middleware429 200`,
		},
		{
			name: "20 http events are flushed", env: env,
			observe: func(p *process) string {
				return events(p.ready(), "text/event-stream") + events(p, "application/x-ndjson")
			},
			want: "3 events, each at once, 3 events, each at once, ",
		},
		{
			name: "ready_path", env: with("ready_path=/ready"),
			observe: func(p *process) string {
				p.ready()
				p.until("it is healthy", func() bool { return p.do("GET", "/_/ready", "").status != http.StatusServiceUnavailable })
				return fmt.Sprint(p.do("GET", "/_/ready", "").status)
			},
			want: "418",
		},
		{
			name: "child exits 3", env: env,
			observe: func(p *process) string {
				a, err := p.ready().try(t.Context(), "GET", "/exit?code=3", nil)
				if err != nil {
					a.status = http.StatusInternalServerError // the watchdog may be faster gone than it answers
				}
				return fmt.Sprint(a.status, " ", p.status())
			},
			want: "500 exit status 1",
		},
	}
}

// events says how the events of /events arrive: the function sends one after the
// other when it is told that the one before is here.
func events(p *process, accept string) string {
	ctx, cancel := context.WithTimeout(p.t.Context(), p.wait(2*time.Second))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+p.addr+"/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "no answer, " // before the function has ended, or at all
	}
	defer func() { _ = res.Body.Close() }()
	lines := 0
	scanner := bufio.NewScanner(res.Body)
	for ; scanner.Scan(); lines++ {
		p.do("POST", "/seen", "")
	}
	if scanner.Err() != nil {
		return fmt.Sprintf("%d events, held back, ", lines)
	}
	return fmt.Sprintf("%d events, each at once, ", lines)
}
