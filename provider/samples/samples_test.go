package samples

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestEventsAreDocuments(t *testing.T) {
	kinds := Kinds()
	for _, kind := range []string{"alb", "cognito", "dynamodb", "eventbridge", "kafka", "kinesis", "logs", "mq", "rest", "s3", "schedule", "ses", "sns", "sqs", "url"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no %s", kind)
		}
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			data, err := Event(kind)
			if err != nil {
				t.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(data, &v); err != nil || len(v) == 0 {
				t.Errorf("%v: %s", err, data)
			}
		})
	}
}

func TestUnknownKindNamesTheOthers(t *testing.T) {
	if _, err := Event("pigeon"); err == nil || !strings.Contains(err.Error(), "sqs") {
		t.Errorf("%v", err)
	}
}
