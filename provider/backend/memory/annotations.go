package memory

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// The annotations that say how an invocation is answered. Without any of them
// it is echoed: the request's body with its Content-Type.
const (
	prefix = "com.openfaas.memory/"

	statusKey      = prefix + "status"      // status code of the answer, 200 to 599
	headersKey     = prefix + "headers"     // headers of the answer: a JSON object of strings
	bodyKey        = prefix + "body"        // body of the answer
	delayKey       = prefix + "delay"       // time before the answer, such as 250ms
	proxyKey       = prefix + "proxy"       // http or https URL: path, query and all else go there
	failKey        = prefix + "fail"        // fails as a platform does: one of the keys of failures
	concurrencyKey = prefix + "concurrency" // invocations at once; more of them are throttled
)

// failures are the ways in which a platform refuses an invocation, by the value
// of the annotation.
var failures = map[string]error{
	"throttled":   backend.Errorf(backend.ErrThrottled, "function is throttled, as its annotation %s asks", failKey),
	"too-large":   backend.Errorf(backend.ErrTooLarge, "request is too large, as the function's annotation %s asks", failKey),
	"unavailable": backend.Errorf(backend.ErrUnavailable, "function is unavailable, as its annotation %s asks", failKey),
	"unreachable": backend.Errorf(backend.ErrUnreachable, "platform is unreachable, as the function's annotation %s asks", failKey),
	"timeout":     backend.Errorf(backend.ErrTimeout, "function timed out, as its annotation %s asks", failKey),
	"crash":       &backend.FunctionError{Type: "Memory.Crash", Message: "function crashed, as its annotation " + failKey + " asks"},
}

// defaultMemory is what a function without limits.memory is taken to hold, for
// what it consumes.
const defaultMemory = 128 << 20

// behaviour is how a function answers, as its annotations say.
type behaviour struct {
	fixed       bool // answers with status, headers and body, not with an echo
	status      int
	headers     http.Header
	body        string
	delay       time.Duration
	proxy       *url.URL
	fail        error
	concurrency int
	memory      int64 // bytes
}

// behaviourOf reads the annotations of d. The error names the one that cannot
// be used.
func behaviourOf(d types.FunctionDeployment) (behaviour, error) {
	b := behaviour{status: http.StatusOK, memory: defaultMemory}
	if d.Limits != nil {
		if n, ok := bytesOf(d.Limits.Memory); ok {
			b.memory = n
		}
	}
	if d.Annotations == nil {
		return b, nil
	}
	for key, value := range *d.Annotations {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if want := b.set(key, value); want != "" {
			return b, backend.Errorf(backend.ErrInvalid, "deploy function %s: annotation %s=%q: want %s", d.Service, key, value, want)
		}
	}
	if b.proxy != nil && (b.fixed || b.fail != nil) {
		return b, backend.Errorf(backend.ErrInvalid, "deploy function %s: annotation %s excludes %s, %s, %s and %s", d.Service, proxyKey, statusKey, headersKey, bodyKey, failKey)
	}
	return b, nil
}

// set takes over one annotation. It returns what the value should have been.
func (b *behaviour) set(key, value string) (want string) {
	var err error
	switch key {
	case statusKey:
		b.fixed = true
		if b.status, err = strconv.Atoi(value); err != nil || b.status < 200 || b.status > 599 {
			return "a status code from 200 to 599"
		}
	case headersKey:
		b.fixed = true
		var headers map[string]string
		if json.Unmarshal([]byte(value), &headers) != nil {
			return "a JSON object of strings"
		}
		b.headers = http.Header{}
		for name, v := range headers {
			b.headers.Set(name, v)
		}
	case bodyKey:
		b.fixed, b.body = true, value
	case delayKey:
		if b.delay, err = time.ParseDuration(value); err != nil || b.delay < 0 {
			return "a duration such as 250ms"
		}
	case proxyKey:
		b.proxy, err = url.Parse(value)
		if err != nil || b.proxy.Host == "" || b.proxy.Scheme != "http" && b.proxy.Scheme != "https" || b.proxy.RawQuery != "" {
			return "an http or https URL without a query"
		}
	case failKey:
		if b.fail = failures[value]; b.fail == nil {
			return "throttled, too-large, unavailable, unreachable, timeout or crash"
		}
	case concurrencyKey:
		if b.concurrency, err = strconv.Atoi(value); err != nil || b.concurrency < 1 {
			return "a number from 1"
		}
	default:
		return "no such annotation below " + prefix
	}
	return ""
}

// bytesOf reads a quantity of memory as Kubernetes writes it.
func bytesOf(s string) (int64, bool) {
	factor := 1.0
	for suffix, f := range map[string]float64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 1e3, "M": 1e6, "G": 1e9} {
		if number, ok := strings.CutSuffix(s, suffix); ok {
			s, factor = number, f
			break
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n <= 0 || n*factor > 1<<50 {
		return 0, false
	}
	return int64(n * factor), true
}
