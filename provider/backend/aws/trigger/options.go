package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
)

// readOptions reads a query and checks each of its values.
func readOptions(query string, allowed []string) (map[string]string, error) {
	if query == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("its options are no query: %w", err)
	}
	options := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(allowed, key) {
			return nil, fmt.Errorf("option %s is not one of %s", key, strings.Join(allowed, ", "))
		}
		value := values.Get(key)
		if check := optionValues[key]; check != nil {
			if err := check(value); err != nil {
				return nil, fmt.Errorf("option %s=%s: %w", key, value, err)
			}
		}
		options[key] = value
	}
	return options, nil
}

// optionValues checks the options that are not free text. The ranges are those
// of CreateEventSourceMapping.
var optionValues = map[string]func(string) error{
	"batch-size":      within(1, 10000),
	"window":          duration(0, 300*time.Second),
	"concurrency":     within(2, 1000),
	"parallelization": within(1, 10),
	"retries":         within(-1, 10000),
	"max-age":         duration(60*time.Second, 7*24*time.Hour),
	"bisect":          choice("true", "false"),
	"report-failures": choice("true", "false"),
	"position":        choice("LATEST", "TRIM_HORIZON"),
	"mode":            choice("BUFFERED", "RESPONSE_STREAM"),
	"filter-scope":    choice("MessageAttributes", "MessageBody"),
	"auth":            choice("BASIC_AUTH", "SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH"),
	"on-failure":      func(v string) error { return notation.ARN(v, "sqs", "sns", "s3") },
	"dead-letter":     func(v string) error { return notation.ARN(v, "sqs") },
	"events":          bucketEvents,
	"filter":          pattern,
	"secret":          func(v string) error { return notation.ARN(v, "secretsmanager") },
}

func within(low, high int) func(string) error {
	return func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < low || n > high {
			return fmt.Errorf("want a number from %d to %d", low, high)
		}
		return nil
	}
}

func duration(low, high time.Duration) func(string) error {
	return func(v string) error {
		if d, err := notation.Duration(v); err != nil || d < low || d > high || d%time.Second != 0 {
			return fmt.Errorf("want whole seconds, from %s to %s", low, high)
		}
		return nil
	}
}

func pattern(v string) error {
	if !json.Valid([]byte(v)) || !strings.HasPrefix(strings.TrimSpace(v), "{") {
		return errors.New("want a pattern as a JSON object")
	}
	return nil
}

func bucketEvents(v string) error {
	events := strings.Fields(v)
	for _, event := range events {
		if !slices.Contains(s3types.Event("").Values(), s3types.Event(event)) {
			return fmt.Errorf("%s is no event of S3", event)
		}
	}
	if len(events) == 0 {
		return errors.New("want events such as s3:ObjectCreated:*")
	}
	return nil
}

func choice(choices ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(choices, v) {
			return fmt.Errorf("want %s", strings.Join(choices, " or "))
		}
		return nil
	}
}
