package filter

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func parseRules(list []any) ([]rule, error) {
	if len(list) == 0 {
		return nil, errors.New("the list of values must not be empty")
	}
	var rules []rule
	for _, one := range list {
		r, err := parseRule(one)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(one any) (rule, error) {
	members, ok := one.(map[string]any)
	if !ok {
		return exactly(one)
	}
	if len(members) != 1 {
		return nil, errors.New("a match expression must have one operator")
	}
	for name, argument := range members {
		parse := operators[name]
		if parse == nil {
			return nil, fmt.Errorf("unrecognized match type %s", name)
		}
		r, err := parse(argument)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return r, nil
	}
	return nil, nil // there is one member
}

// exactly wants the value itself: text, a number, true, false or null.
func exactly(want any) (rule, error) {
	switch want.(type) {
	case string, float64, bool, nil:
		return func(value any, present bool) bool { return present && value == want }, nil
	}
	return nil, errors.New("a value must be text, a number, true, false or null")
}

var operators map[string]func(argument any) (rule, error)

func init() {
	operators = map[string]func(any) (rule, error){
		"prefix":             overText(strings.HasPrefix),
		"suffix":             overText(strings.HasSuffix),
		"equals-ignore-case": overText(strings.EqualFold),
		"wildcard":           overText(wildcard),
		"exists":             exists,
		"numeric":            numeric,
		"anything-but":       anythingBut,
		"cidr":               cidr,
	}
}

// overText makes an operator that compares the value, which must be text, with its argument.
func overText(fits func(value, argument string) bool) func(any) (rule, error) {
	return func(argument any) (rule, error) {
		if folded, ok := argument.(map[string]any); ok && len(folded) == 1 { // {"prefix": {"equals-ignore-case": "x"}}
			if text, ok := folded["equals-ignore-case"].(string); ok {
				return textRule(func(value string) bool { return fits(strings.ToLower(value), strings.ToLower(text)) }), nil
			}
		}
		text, ok := argument.(string)
		if !ok {
			return nil, errors.New("wants text")
		}
		return textRule(func(value string) bool { return fits(value, text) }), nil
	}
}

func textRule(fits func(string) bool) rule {
	return func(value any, present bool) bool {
		text, ok := value.(string)
		return present && ok && fits(text)
	}
}

// wildcard matches with * for any characters; \* and \\ are themselves. What stands before the last * that was met never has to be looked at again.
func wildcard(value, pattern string) bool {
	parts := splitWildcard(pattern)
	last := len(parts) - 1
	if last == 0 {
		return value == parts[0]
	}
	if !strings.HasPrefix(value, parts[0]) {
		return false
	}
	value = value[len(parts[0]):]
	for _, part := range parts[1:last] {
		at := strings.Index(value, part)
		if at < 0 {
			return false
		}
		value = value[at+len(part):]
	}
	return strings.HasSuffix(value, parts[last])
}

// splitWildcard returns what stands between the stars.
func splitWildcard(pattern string) []string {
	parts := []string{""}
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '*':
			parts = append(parts, "")
			continue
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
		}
		parts[len(parts)-1] += pattern[i : i+1]
	}
	return parts
}

func exists(argument any) (rule, error) {
	want, ok := argument.(bool)
	if !ok {
		return nil, errors.New("wants true or false")
	}
	return func(_ any, present bool) bool { return present == want }, nil
}

var signs = []string{"=", "<", ">", "<=", ">="}

// numeric reads ["<", 10] and [">", 0, "<=", 5].
func numeric(argument any) (rule, error) {
	list, ok := argument.([]any)
	if !ok || len(list) == 0 || len(list)%2 != 0 {
		return nil, errors.New("wants comparisons and numbers in turn")
	}
	type comparison struct {
		sign string
		than float64
	}
	var all []comparison
	for i := 0; i < len(list); i += 2 {
		sign, isText := list[i].(string)
		than, isNumber := list[i+1].(float64)
		if !isText || !isNumber || !slices.Contains(signs, sign) {
			return nil, errors.New("wants comparisons and numbers in turn")
		}
		all = append(all, comparison{sign, than})
	}
	return func(value any, present bool) bool {
		n, ok := value.(float64)
		for _, c := range all {
			if !present || !ok || !compare(n, c.sign, c.than) {
				return false
			}
		}
		return true
	}, nil
}

func compare(n float64, sign string, than float64) bool {
	switch sign {
	case "=":
		return n == than
	case "<":
		return n < than
	case ">":
		return n > than
	case "<=":
		return n <= than
	}
	return n >= than
}

// anythingBut wants a value, and none of its argument's: one value, a list of them, or one operator over text.
func anythingBut(argument any) (rule, error) {
	list, ok := argument.([]any)
	if !ok {
		list = []any{argument}
	}
	if members, ok := argument.(map[string]any); ok && len(members) == 1 {
		for name, inner := range members { // {"anything-but": {"prefix": ["a", "b"]}}
			if several, ok := inner.([]any); ok {
				list = nil
				for _, one := range several {
					list = append(list, map[string]any{name: one})
				}
			}
		}
	}
	unwanted, err := parseRules(list)
	if err != nil {
		return nil, err
	}
	return func(value any, present bool) bool {
		for _, fits := range unwanted {
			if fits(value, present) {
				return false
			}
		}
		return present
	}, nil
}

func cidr(argument any) (rule, error) {
	text, ok := argument.(string)
	if !ok {
		return nil, errors.New("wants text")
	}
	within, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("wants a range of addresses: %w", err)
	}
	return textRule(func(value string) bool {
		address, err := netip.ParseAddr(value)
		return err == nil && within.Contains(address)
	}), nil
}
