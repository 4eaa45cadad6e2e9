package models

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// member finds the one that is called so on the wire.
func (s *shape) member(name string) *member {
	for own, m := range s.Members {
		if m.name(own) == name {
			return m
		}
	}
	return nil
}

// body tells the members that are in a body and not in headers.
func (m *member) body() bool { return m.Location == "" }

// value checks one of JSON.
func (a *answer) value(where string, s *shape, format string, v any) {
	a.fields++
	if v == nil {
		return
	}
	switch s.Type {
	case "structure":
		a.object(where, s, v)
	case "list":
		list, ok := v.([]any)
		if !ok {
			a.wrong(where, "%v, want a list", v)
		}
		for _, v := range list {
			a.value(where+"[]", a.Shapes[s.Member.Shape], s.Member.TimestampFormat, v)
		}
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			a.wrong(where, "%v, want a map", v)
		}
		for key, v := range m {
			a.enum(where+" key", a.Shapes[s.Key.Shape], key)
			a.value(where+"{}", a.Shapes[s.Value.Shape], s.Value.TimestampFormat, v)
		}
	default:
		a.scalar(where, s, format, v)
	}
}

func (a *answer) object(where string, s *shape, v any) {
	o, ok := v.(map[string]any)
	if !ok {
		a.wrong(where, "%v, want a structure", v)
		return
	}
	for name, v := range o {
		m := s.member(name)
		if m == nil || !m.body() {
			a.wrong(where+"."+name, "there is no such member")
			continue
		}
		a.value(where+"."+name, a.Shapes[m.Shape], m.TimestampFormat, v)
	}
	for _, name := range s.Required {
		if m := s.Members[name]; m.body() && o[m.name(name)] == nil {
			a.wrong(where+"."+name, "missing")
		}
	}
}

func (a *answer) scalar(where string, s *shape, format string, v any) {
	number, isNumber := v.(json.Number)
	text, isText := v.(string)
	_, isBool := v.(bool)
	switch s.Type {
	case "string":
		if !isText {
			a.wrong(where, "%v, want a string", v)
		}
		a.enum(where, s, text)
	case "boolean":
		if !isBool {
			a.wrong(where, "%v, want true or false", v)
		}
	case "integer", "long":
		if _, err := strconv.ParseInt(number.String(), 10, 64); !isNumber || err != nil {
			a.wrong(where, "%v, want an integer", v)
		}
	case "float", "double":
		if !isNumber {
			a.wrong(where, "%v, want a number", v)
		}
	case "blob":
		if _, err := base64.StdEncoding.DecodeString(text); !isText || err != nil {
			a.wrong(where, "%v, want base64", v)
		}
	case "timestamp":
		if format == "" {
			format = s.TimestampFormat
		}
		if format == "iso8601" && isText {
			a.time(where, text, format)
		} else if !isNumber {
			a.wrong(where, "%v, want seconds since 1970", v)
		}
	}
}

// unpublished are values that the real service answers though they are none of the enumeration: emulator/recorded has those of Lambda, and the text
// beside IAM's enumeration says "can only have a value of Policy".
var unpublished = []string{
	".LastUpdateStatusReasonCode Creating", ".Configuration.LastUpdateStatusReasonCode Creating",
	".Role.PermissionsBoundary.PermissionsBoundaryType Policy",
}

func (a *answer) enum(where string, s *shape, value string) {
	if len(s.Enum) > 0 && !contains(s.Enum, value) && !contains(unpublished, where+" "+value) {
		a.wrong(where, "%q is none of %s", value, strings.Join(s.Enum, ", "))
	}
}

// text checks a value that is written as text, in headers and in XML.
func (a *answer) text(where string, m *member, value, times string) {
	a.fields++
	s := a.Shapes[m.Shape]
	var err error
	switch s.Type {
	case "string":
		a.enum(where, s, value)
	case "boolean":
		if value != "true" && value != "false" {
			a.wrong(where, "%q, want true or false", value)
		}
	case "integer", "long":
		_, err = strconv.ParseInt(value, 10, 64)
	case "float", "double":
		_, err = strconv.ParseFloat(value, 64)
	case "blob":
		_, err = base64.StdEncoding.DecodeString(value)
	case "timestamp":
		for _, format := range []string{s.TimestampFormat, m.TimestampFormat} {
			if format != "" {
				times = format
			}
		}
		a.time(where, value, times)
	}
	if err != nil {
		a.wrong(where, "%v", err)
	}
}

var iso8601 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$`)

func (a *answer) time(where, value, format string) {
	switch format {
	case "iso8601":
		if !iso8601.MatchString(value) {
			a.wrong(where, "%q, want a time of ISO 8601", value)
		}
	case "rfc822":
		if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", value); err != nil {
			a.wrong(where, "%q, want a time of RFC 822", value)
		}
	}
}

// element checks one of XML and what is in it, and returns it as JSON would have it.
func (a *answer) element(where string, s *shape, e *element) any {
	switch s.Type {
	case "structure":
		return a.structure(where, s, e)
	case "list":
		list := []any{}
		for _, item := range e.children {
			if want := s.Member.name("member"); item.name.Local != want {
				a.wrong(where, "%s in a list of %s", item.name.Local, want)
			}
			list = append(list, a.child(where+"[]", s.Member, item))
		}
		return list
	case "map":
		entries := map[string]any{}
		for _, entry := range e.children {
			key, value := entry.child(s.Key.name("key")), entry.child(s.Value.name("value"))
			if entry.name.Local != "entry" || key == nil || value == nil {
				a.wrong(where, "%s in a map", entry.name.Local)
				continue
			}
			entries[key.text] = a.child(where+"{}", s.Value, value)
		}
		return entries
	}
	return e.text
}

func (a *answer) structure(where string, s *shape, e *element) any {
	out := map[string]any{}
	for _, c := range e.children {
		name := c.name.Local
		m := s.member(name)
		if m == nil || !m.body() {
			a.wrong(where+"."+name, "there is no such member")
			continue
		}
		if list := a.Shapes[m.Shape]; list.Type == "list" && (list.Flattened || m.Flattened) {
			have, _ := out[name].([]any)
			out[name] = append(have, a.child(where+"."+name, list.Member, c))
			continue
		}
		if out[name] != nil {
			a.wrong(where+"."+name, "is there twice")
		}
		out[name] = a.child(where+"."+name, m, c)
	}
	for _, name := range s.Required {
		if m := s.Members[name]; m.body() && !m.XMLAttribute && out[m.name(name)] == nil {
			a.wrong(where+"."+name, "missing")
		}
	}
	return out
}

func (a *answer) child(where string, m *member, e *element) any {
	s := a.Shapes[m.Shape]
	switch s.Type {
	case "structure", "list", "map":
		a.fields++
		return a.element(where, s, e)
	}
	a.text(where, m, e.text, "iso8601")
	return e.text
}
