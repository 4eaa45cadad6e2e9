package lambda

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// constraints collects what a request violates of the API model; AWS tells all of it in one error.
type constraints struct{ problems []string }

func (c *constraints) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	return validation(c.problems)
}

func (c *constraints) failed(member, value, rule string) {
	c.problems = append(c.problems, fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", value, member, rule))
}

func (c *constraints) required(member string, present bool) {
	if !present {
		c.problems = append(c.problems, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", member))
	}
}

func (c *constraints) length(member, value string, least, most int) {
	n := utf8.RuneCountInString(value)
	if n > most {
		c.failed(member, value, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
	if n < least {
		c.failed(member, value, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	}
}

func (c *constraints) pattern(member, value string, compiled *regexp.Regexp, pattern string) {
	if !compiled.MatchString(value) {
		c.failed(member, value, "Member must satisfy regular expression pattern: "+pattern)
	}
}

func (c *constraints) between(member string, value *int, least, most int) {
	switch {
	case value == nil:
	case *value < least:
		c.failed(member, fmt.Sprint(*value), fmt.Sprintf("Member must have value greater than or equal to %d", least))
	case *value > most:
		c.failed(member, fmt.Sprint(*value), fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
}

func (c *constraints) oneOf(member, value string, allowed ...string) {
	list := ""
	for i, a := range allowed {
		if value == a {
			return
		}
		if i > 0 {
			list += ", "
		}
		list += a
	}
	c.failed(member, value, "Member must satisfy enum value set: ["+list+"]")
}

// ids checks each of a list of identifiers.
func (c *constraints) ids(member string, list []string, compiled *regexp.Regexp, pattern string) {
	for _, id := range list {
		if len(id) > 1024 || !compiled.MatchString(id) {
			c.failed(member, "["+strings.Join(list, ", ")+"]", "Member must satisfy constraint: [Member must have length less than or equal to "+
				"1024, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: "+pattern+"]")
			return
		}
	}
}
