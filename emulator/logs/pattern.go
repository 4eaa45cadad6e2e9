package logs

import (
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// pattern compiles a filter pattern of terms: every term, none of those after a
// minus, one of those after a question mark. Terms with other characters than
// letters, digits and underscores stand in double quotes. Patterns for JSON and
// for columns are refused.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func pattern(text string) (func(message string) bool, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "%") {
		return nil, wire.Refuse("InvalidParameterException", "Invalid filter pattern: the embedded AWS has patterns of terms only")
	}
	var all, none, some []string
	for text != "" {
		list := &all
		switch text[0] {
		case '-':
			list, text = &none, text[1:]
		case '?':
			list, text = &some, text[1:]
		}
		var term string
		if quoted, ok := strings.CutPrefix(text, `"`); ok {
			var closed bool
			if term, text, closed = strings.Cut(quoted, `"`); !closed {
				return nil, wire.Refuse("InvalidParameterException", "Invalid filter pattern: a quote is not closed")
			}
		} else {
			term, text, _ = strings.Cut(text, " ")
		}
		if term != "" {
			*list = append(*list, term)
		}
		text = strings.TrimLeft(text, " ")
	}
	return func(message string) bool {
		for _, term := range all {
			if !strings.Contains(message, term) {
				return false
			}
		}
		for _, term := range none {
			if strings.Contains(message, term) {
				return false
			}
		}
		for _, term := range some {
			if strings.Contains(message, term) {
				return true
			}
		}
		return len(some) == 0
	}, nil
}
