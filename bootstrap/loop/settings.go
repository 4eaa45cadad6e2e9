package loop

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Settings is what the loop itself reads from the environment.
type Settings struct {
	API         string        // AWS_LAMBDA_RUNTIME_API, host:port
	Workers     int           // AWS_LAMBDA_MAX_CONCURRENCY: invocations at a time
	SnapStart   bool          // AWS_LAMBDA_INITIALIZATION_TYPE=snap-start
	Provisioned bool          // the same =provisioned-concurrency: started before anybody called
	JSONLogs    bool          // AWS_LAMBDA_LOG_FORMAT=JSON
	StreamURLs  bool          // FAAS_LAMBDA_INVOKE_MODE=RESPONSE_STREAM: of the function's URL
	Processors  bool          // GOMAXPROCS is set
	InitTimeout time.Duration // FAAS_LAMBDA_INIT_TIMEOUT
	Failing     []Statuses    // FAAS_LAMBDA_ERROR_STATUS; nil: the default
}

// Statuses is a range of status codes, both ends included.
type Statuses struct{ From, To int }

// defaultInitTimeout is a little less than the ten seconds after which Lambda
// itself ends an initialization, so that ours is the error that is seen:
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const defaultInitTimeout = 9500 * time.Millisecond

// ParseSettings reads Settings from env (NAME=value). An error names the variable.
func ParseSettings(env []string) (Settings, error) {
	s := Settings{InitTimeout: defaultInitTimeout, Workers: 1}
	var errs []error
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if value == "" {
			continue
		}
		if err := s.set(name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if s.API == "" {
		errs = append(errs, errors.New("AWS_LAMBDA_RUNTIME_API: is not set: bootstrap runs on Lambda only"))
	}
	return s, errors.Join(errs...)
}

func (s *Settings) set(name, value string) (err error) {
	switch name {
	case "AWS_LAMBDA_RUNTIME_API":
		s.API = value
	case "AWS_LAMBDA_MAX_CONCURRENCY":
		s.Workers, err = strconv.Atoi(value)
		if err != nil || s.Workers < 1 || s.Workers > 10_000 {
			return fmt.Errorf("%q is not a number of invocations", value)
		}
	case "GOMAXPROCS":
		s.Processors = true
	case "AWS_LAMBDA_INITIALIZATION_TYPE":
		s.SnapStart, s.Provisioned = value == "snap-start", value == "provisioned-concurrency"
	case "AWS_LAMBDA_LOG_FORMAT":
		s.JSONLogs = value == "JSON"
	case "FAAS_LAMBDA_INVOKE_MODE":
		if value != "BUFFERED" && value != "RESPONSE_STREAM" {
			return fmt.Errorf("%q is neither BUFFERED nor RESPONSE_STREAM", value)
		}
		s.StreamURLs = value == "RESPONSE_STREAM"
	case "FAAS_LAMBDA_INIT_TIMEOUT":
		s.InitTimeout, err = time.ParseDuration(value)
		if err != nil || s.InitTimeout <= 0 {
			return fmt.Errorf("%q is not a duration above 0", value)
		}
	case "FAAS_LAMBDA_ERROR_STATUS":
		s.Failing, err = parseStatuses(value)
	}
	return err
}

// parseStatuses reads "none", or codes and ranges such as "500-599,429".
func parseStatuses(value string) ([]Statuses, error) {
	all := []Statuses{}
	if value == "none" {
		return all, nil
	}
	for part := range strings.SplitSeq(value, ",") {
		from, to, ok := strings.Cut(strings.TrimSpace(part), "-")
		if !ok {
			to = from
		}
		low, err := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err != nil || err2 != nil || low < 200 || high > 999 || low > high {
			return nil, fmt.Errorf("%q is no list of status codes such as 500-599,429", value)
		}
		all = append(all, Statuses{low, high})
	}
	return all, nil
}

// fails reports whether a response with this status is a failed invocation. By
// default that is a 5xx to a trigger: what sent the event (a queue, a stream, a
// schedule) knows of no status, and takes all else for success.
func (s Settings) fails(status int, trigger bool) bool {
	if s.Failing == nil {
		return trigger && status >= 500
	}
	for _, r := range s.Failing {
		if status >= r.From && status <= r.To {
			return true
		}
	}
	return false
}

func (s Settings) logger(w io.Writer) *slog.Logger {
	if s.JSONLogs {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
