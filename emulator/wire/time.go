package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Time is a timestamp as each protocol writes one: seconds since 1970 in JSON and CBOR, ISO 8601 in the query protocol.
type Time struct{ time.Time }

// MarshalJSON writes seconds, with three digits after the point.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.seconds()) }

func (t Time) seconds() float64 { return float64(t.UnixMilli()) / 1000 }

// UnmarshalJSON reads seconds or ISO 8601.
func (t *Time) UnmarshalJSON(data []byte) error {
	var seconds float64
	if json.Unmarshal(data, &seconds) == nil {
		if math.Abs(seconds) > 1e11 { // the year 5138
			return fmt.Errorf("read timestamp %s: out of range", data)
		}
		t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("read timestamp %s: neither seconds nor ISO 8601", data)
	}
	return t.UnmarshalText([]byte(text))
}

// UnmarshalText reads ISO 8601.
func (t *Time) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if parsed, err := time.Parse(layout, string(text)); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return fmt.Errorf("read timestamp %q: not ISO 8601", text)
}

// MarshalText writes ISO 8601 with milliseconds.
func (t Time) MarshalText() ([]byte, error) {
	return []byte(t.UTC().Format("2006-01-02T15:04:05.000Z")), nil
}
