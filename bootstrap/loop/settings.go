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
	StreamURLs  bool          // FAAS_LAMBDA_INVOKE_MODE=RESPONSE_STREAM: of the function's URL
	InitTimeout time.Duration // FAAS_LAMBDA_INIT_TIMEOUT
	JSONLogs    bool          // AWS_LAMBDA_LOG_FORMAT=JSON
	SnapStart   bool          // AWS_LAMBDA_INITIALIZATION_TYPE=snap-start
	Workers     int           // AWS_LAMBDA_MAX_CONCURRENCY, 1 where Lambda does not set it
}

// defaultInitTimeout is a little less than the ten seconds after which Lambda
// itself ends an initialization, so that ours is the error that is seen:
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const defaultInitTimeout = 9500 * time.Millisecond

// maxWorkers is far more than Lambda sends to one environment at once.
const maxWorkers = 10_000

// ParseSettings reads Settings from env (NAME=value). An error names the variable.
func ParseSettings(env []string) (Settings, error) {
	s := Settings{InitTimeout: defaultInitTimeout, Workers: 1}
	var errs []error
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "AWS_LAMBDA_RUNTIME_API":
			s.API = value
		case "FAAS_LAMBDA_INVOKE_MODE":
			switch value {
			case "", "BUFFERED":
			case "RESPONSE_STREAM":
				s.StreamURLs = true
			default:
				errs = append(errs, fmt.Errorf("%s: %q is neither BUFFERED nor RESPONSE_STREAM", name, value))
			}
		case "FAAS_LAMBDA_INIT_TIMEOUT":
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				errs = append(errs, fmt.Errorf("%s: %q is not a duration above 0", name, value))
			}
			s.InitTimeout = d
		case "AWS_LAMBDA_MAX_CONCURRENCY":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > maxWorkers {
				errs = append(errs, fmt.Errorf("%s: %q is not a number from 1 to %d", name, value, maxWorkers))
				continue
			}
			s.Workers = n
		case "AWS_LAMBDA_INITIALIZATION_TYPE":
			s.SnapStart = value == "snap-start"
		case "AWS_LAMBDA_LOG_FORMAT":
			s.JSONLogs = value == "JSON"
		}
	}
	if s.API == "" {
		errs = append(errs, errors.New("AWS_LAMBDA_RUNTIME_API: is not set: bootstrap runs on Lambda only"))
	}
	return s, errors.Join(errs...)
}

func (s Settings) logger(w io.Writer) *slog.Logger {
	if s.JSONLogs {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
