package models

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request writes a call of an operation as its protocol does. in has the members of the operation's input.
func (m *model) request(ctx context.Context, endpoint, service string, o *operation, in map[string]any) (*http.Request, error) {
	w := &writer{model: m, header: http.Header{}, query: url.Values{}, path: "/"}
	method := http.MethodPost
	var err error
	switch m.Metadata.Protocol {
	case "json":
		w.header.Set("X-Amz-Target", m.Metadata.TargetPrefix+"."+o.Name)
		w.header.Set("Content-Type", "application/x-amz-json-"+m.Metadata.JSONVersion)
		err = json.NewEncoder(&w.body).Encode(in)
	case "query":
		w.header.Set("Content-Type", "application/x-www-form-urlencoded")
		form := url.Values{"Action": {o.Name}, "Version": {m.Metadata.APIVersion}}
		m.form(form, "", m.Shapes[o.Input.Shape], in)
		w.body.WriteString(form.Encode())
	default:
		method = o.HTTP.Method
		err = w.rest(o, in)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", o.Name, err)
	}
	target := endpoint + w.path
	if len(w.query) > 0 {
		target += "?" + w.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, &w.body)
	if err != nil {
		return nil, err
	}
	r.Header = w.header
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=id/20260101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	return r, nil
}

// form flattens a value of the query protocol.
func (m *model) form(form url.Values, prefix string, s *shape, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if s.Type == "map" {
				panic("maps are not written in forms")
			}
			inner := s.Members[name]
			m.form(form, strings.TrimPrefix(prefix+"."+name, "."), m.Shapes[inner.Shape], value)
		}
	case []any:
		for i, value := range v {
			m.form(form, fmt.Sprintf("%s.member.%d", prefix, i+1), m.Shapes[s.Member.Shape], value)
		}
	default:
		form.Set(prefix, fmt.Sprint(v))
	}
}

// writer is a request on its way.
type writer struct {
	*model
	path   string
	query  url.Values
	header http.Header
	body   bytes.Buffer
}

// rest writes the parts of a request of the REST protocols.
func (w *writer) rest(o *operation, in map[string]any) error {
	path, query, _ := strings.Cut(o.HTTP.RequestURI, "?")
	w.query, _ = url.ParseQuery(query)
	input := w.Shapes[o.Input.Shape]
	left := map[string]any{}
	for name, value := range in {
		m := input.Members[name]
		if m == nil {
			return fmt.Errorf("there is no member %s", name)
		}
		switch m.Location {
		case "uri":
			path = strings.NewReplacer("{"+m.LocationName+"}", url.PathEscape(fmt.Sprint(value)), "{"+m.LocationName+"+}", fmt.Sprint(value)).Replace(path)
		case "querystring":
			for _, v := range listOf(value) {
				w.query.Add(m.LocationName, fmt.Sprint(v))
			}
		case "header", "headers":
			w.header.Set(m.LocationName, fmt.Sprint(value))
		default:
			left[name] = value
		}
	}
	w.path = path
	return w.content(o, input, left)
}

func listOf(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// content writes the body of a request of the REST protocols.
func (w *writer) content(o *operation, input *shape, in map[string]any) error {
	switch payload := input.Payload; {
	case payload != "" && w.Shapes[input.Members[payload].Shape].Type == "blob":
		text, _ := in[payload].(string)
		data, err := base64.StdEncoding.DecodeString(text)
		w.body.Write(data)
		return err
	case payload != "" && in[payload] != nil:
		m := input.Members[payload]
		w.xml(m.name(payload), m, in[payload])
		return nil
	case len(in) > 0 && w.Metadata.Protocol == "rest-json":
		w.header.Set("Content-Type", "application/json")
		return json.NewEncoder(&w.body).Encode(in)
	}
	return nil
}

// xml writes an element.
func (w *writer) xml(name string, m *member, v any) {
	s := w.Shapes[m.Shape]
	if list, ok := v.([]any); ok {
		item := s.Member.name("member")
		if s.Flattened || m.Flattened {
			for _, v := range list {
				w.xml(name, s.Member, v)
			}
			return
		}
		w.body.WriteString("<" + name + ">")
		for _, v := range list {
			w.xml(item, s.Member, v)
		}
	} else if fields, ok := v.(map[string]any); ok {
		w.body.WriteString("<" + name + ">")
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			w.xml(s.Members[field].name(field), s.Members[field], fields[field])
		}
	} else {
		w.body.WriteString("<" + name + ">")
		_ = xml.EscapeText(&w.body, fmt.Append(nil, v)) // a buffer never fails
	}
	w.body.WriteString("</" + name + ">")
}
