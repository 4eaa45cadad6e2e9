package recorded

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// matcher compares answers with recorded ones, whose placeholders stand for one value each throughout a case.
type matcher struct {
	bound    map[string]string // placeholder → value
	recorded time.Time         // when the case was recorded
}

// fixed are the placeholders whose values are the emulator's settings.
var fixed = map[string]string{"<partition>": "aws", "<region>": region, "<wrong-region>": wrongRegion}

// added are fields that AWS has added to a function's configuration, with a day by which it had not yet: older recordings lack them.
var added = map[string]time.Time{
	"RuntimeVersionConfig": day(2023, 1), "SnapStart": day(2022, 11), "LoggingConfig": day(2023, 11),
}

func day(year, month int) time.Time {
	return time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
}

// compare returns what is different, each with its path.
func (m *matcher) compare(path string, want, got any) []string {
	switch want := want.(type) {
	case map[string]any:
		if text, ok := got.(string); ok { // policies are JSON in a string
			var inner any
			if json.Unmarshal([]byte(text), &inner) == nil {
				got = inner
			}
		}
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %s, want an object", path, short(got))}
		}
		return m.objects(path, want, object)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return []string{fmt.Sprintf("%s: %s, want %s", path, short(got), short(want))}
		}
		var problems []string
		for i := range want {
			problems = append(problems, m.compare(path+"["+strconv.Itoa(i)+"]", want[i], list[i])...)
		}
		return problems
	case string:
		return m.texts(path, want, got)
	}
	if want != got {
		return []string{fmt.Sprintf("%s: %s, want %s", path, short(got), short(want))}
	}
	return nil
}

func (m *matcher) objects(path string, want, got map[string]any) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			problems = append(problems, fmt.Sprintf("%s.%s: missing, want %s", path, name, short(want[name])))
			continue
		}
		problems = append(problems, m.compare(path+"."+name, want[name], got[name])...)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if since, ok := added[name]; ok && m.recorded.Before(since) {
			continue
		}
		if _, ok := want[name]; !ok {
			problems = append(problems, fmt.Sprintf("%s.%s: %s, want none", path, name, short(got[name])))
		}
	}
	return problems
}

var (
	placeholder = regexp.MustCompile(`<[a-zA-Z][^<>"\s]*>`)
	repeated    = regexp.MustCompile(`^<a:len\((\d+)\)>$`)
	timestamp   = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)
)

// texts compares a recorded string, which may have placeholders in it, also for a number.
func (m *matcher) texts(path, want string, got any) []string {
	text, isText := got.(string)
	if number, ok := got.(float64); ok && placeholder.FindString(want) == want {
		text, isText = strconv.FormatFloat(number, 'f', -1, 64), true
	}
	if want == "date" && isText && timestamp.MatchString(text) {
		return nil
	}
	if _, isNumber := got.(float64); want == "datetime" && isNumber { // seconds since 1970
		return nil
	}
	if want == "lambda-url" && strings.HasPrefix(text, "http") {
		return nil
	}
	problem := []string{fmt.Sprintf("%s: %s\n      want %s", path, short(got), short(want))}
	if !isText {
		return problem
	}
	var pattern strings.Builder
	var names []string
	rest := want
	for _, at := range placeholder.FindAllStringIndex(want, -1) {
		offset := len(want) - len(rest)
		pattern.WriteString(regexp.QuoteMeta(rest[:at[0]-offset]))
		name := want[at[0]:at[1]]
		rest = want[at[1]:]
		if n := repeated.FindStringSubmatch(name); n != nil {
			count, _ := strconv.Atoi(n[1]) // digits
			pattern.WriteString(strings.Repeat("a", count))
			continue
		}
		if value, ok := m.value(name); ok {
			pattern.WriteString(regexp.QuoteMeta(value))
			continue
		}
		pattern.WriteString(`(.+?)`)
		names = append(names, name)
	}
	pattern.WriteString(regexp.QuoteMeta(rest))
	found := regexp.MustCompile(`(?s)^` + pattern.String() + `$`).FindStringSubmatch(text)
	if found == nil {
		return problem
	}
	for i, name := range names {
		if other := m.bind(name, found[i+1]); other != "" {
			return []string{fmt.Sprintf("%s: %s is %s, which is %s already", path, name, found[i+1], other)}
		}
	}
	return nil
}

func (m *matcher) value(name string) (string, bool) {
	if value, ok := fixed[name]; ok {
		return value, true
	}
	value, ok := m.bound[name]
	return value, ok && numbered(name)
}

// bind gives a placeholder its value. Another one of the same name that has the value already is returned: two numbers are two values.
func (m *matcher) bind(name, value string) string {
	if numbered(name) {
		prefix, _, _ := strings.Cut(name, ":")
		for other, v := range m.bound {
			if other != name && v == value && strings.HasPrefix(other, prefix+":") {
				return other
			}
		}
	}
	m.bound[name] = value
	return ""
}

// numbered placeholders are references: the same value wherever they stand. Others are merely left out.
func numbered(name string) bool { return strings.Contains(name, ":") }

func short(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(data) > 700 {
		return string(data[:700]) + "…"
	}
	return string(data)
}
