package recorded

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// What the comparison takes for the same, and what not: a comparison that took everything would show nothing.
func TestMatcher(t *testing.T) {
	for _, c := range []struct {
		name, want, got string
		problems        int
	}{
		{"the same", `{"a":1,"b":["x"],"c":null,"d":true}`, `{"a":1,"b":["x"],"c":null,"d":true}`, 0},
		{"another number", `{"a":1}`, `{"a":2}`, 1},
		{"a field too few", `{"a":1,"b":2}`, `{"a":1}`, 1},
		{"a field too many", `{"a":1}`, `{"a":1,"b":2}`, 1},
		{"another type", `{"a":1}`, `{"a":"1"}`, 1},
		{"another length", `["a"]`, `["a","a"]`, 1},
		{"null for a text", `"a"`, `null`, 1},
		{"a date", `"date"`, `"2026-01-01T00:00:00.000+0000"`, 0},
		{"no date", `"date"`, `"yesterday"`, 1},
		{"a placeholder in a text", `"arn:<partition>:lambda:<region>:f:<name:1>!"`, `"arn:aws:lambda:us-east-1:f:one!"`, 0},
		{"another region", `"<region>"`, `"eu-west-1"`, 1},
		{"a placeholder for a number", `"<code-size>"`, `12`, 0},
		{"text around a number", `"a<code-size>"`, `12`, 1},
		{"one value throughout", `["<id:1>","x<id:1>"]`, `["a","xa"]`, 0},
		{"not one value", `["<id:1>","<id:1>"]`, `["a","b"]`, 1},
		{"two values", `["<id:1>","<id:2>"]`, `["a","b"]`, 0},
		{"not two values", `["<id:1>","<id:2>"]`, `["a","a"]`, 1},
		{"repetition", `"<a:len(3)>b"`, `"aaab"`, 0},
		{"too short a repetition", `"<a:len(3)>b"`, `"aab"`, 1},
		{"JSON in a string", `{"Policy":{"a":"<id:1>"}}`, `{"Policy":"{\"a\":\"x\"}"}`, 0},
		{"a field of later years", `{"a":1}`, `{"a":1,"SnapStart":{}}`, 0},
	} {
		var want, got any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.got), &got); err != nil {
			t.Fatal(err)
		}
		match := matcher{bound: map[string]string{}, recorded: time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC)}
		if problems := match.compare("", want, got); len(problems) != c.problems {
			t.Errorf("%s: %v, want %d", c.name, slices.Clip(problems), c.problems)
		}
	}
}
