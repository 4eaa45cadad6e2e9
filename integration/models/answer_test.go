package models

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// answer is what came, with what it is checked by.
type answer struct {
	*model
	operation *operation
	status    int
	header    http.Header
	body      []byte
	fields    int // checked
	problems  []string
}

func (a *answer) wrong(where, format string, args ...any) {
	a.problems = append(a.problems, fmt.Sprintf("%s: %s", where, fmt.Sprintf(format, args...)))
}

// check looks at all of it, and returns the output as JSON has it; nil for an error or another kind of body.
func (a *answer) check() any {
	if a.header.Get("X-Amzn-Requestid") == "" && a.header.Get("X-Amz-Request-Id") == "" && a.Metadata.Protocol != "query" {
		a.wrong("headers", "no request id")
	}
	if a.status >= http.StatusBadRequest {
		a.checkError()
		return nil
	}
	output := a.Shapes[a.operation.Output.Shape]
	rest := strings.HasPrefix(a.Metadata.Protocol, "rest-")
	if want := a.operation.HTTP.ResponseCode; rest && want != 0 && a.status != want && !a.tellsStatus(output) {
		a.wrong("status", "%d, want %d", a.status, want)
	}
	if output == nil {
		a.checkNothing()
		return nil
	}
	if rest {
		a.checkHeaders(output)
	}
	if rest && output.Payload != "" {
		m := output.Members[output.Payload]
		if s := a.Shapes[m.Shape]; s.Type != "structure" || s.EventStream {
			return nil // the bytes are the answer
		}
		output = a.Shapes[m.Shape]
	}
	return a.checkBody(output)
}

// tellsStatus is for outputs that have the status as a member.
func (a *answer) tellsStatus(output *shape) bool {
	for _, m := range output.Members {
		if m.Location == "statusCode" {
			return true
		}
	}
	return false
}

func (a *answer) checkNothing() {
	if text := strings.TrimSpace(string(a.body)); text != "" && text != "{}" && a.Metadata.Protocol != "query" {
		a.wrong("body", "%s, want none", text)
	}
}

func (a *answer) checkHeaders(output *shape) {
	for name, m := range output.Members {
		value := a.header.Get(m.LocationName)
		if m.Location != "header" {
			continue
		}
		if value == "" {
			if contains(output.Required, name) {
				a.wrong(name, "header %s is missing", m.LocationName)
			}
			continue
		}
		a.text(name, m, value, "rfc822")
	}
}

func (a *answer) checkBody(output *shape) any {
	switch a.Metadata.Protocol {
	case "query", "rest-xml":
		if len(a.body) == 0 && a.Metadata.Protocol == "rest-xml" {
			return nil
		}
		root, err := readXML(a.body)
		if err != nil {
			a.wrong("body", "%v", err)
			return nil
		}
		if want := a.Metadata.XMLNamespace; want != "" && root.name.Space != want {
			a.wrong("body", "namespace %q, want %q", root.name.Space, want)
		}
		if a.Metadata.Protocol == "query" && a.operation.Output.ResultWrapper != "" {
			if root = root.child(a.operation.Output.ResultWrapper); root == nil {
				a.wrong("body", "no element %s", a.operation.Output.ResultWrapper)
				return nil
			}
		}
		return a.element("", output, root)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		if len(a.body) > 0 || len(output.Members) > 0 && len(output.Required) > 0 {
			a.wrong("body", "%q: %v", a.body, err)
		}
		return nil
	}
	a.value("", output, "", v)
	return v
}

// common are errors that every operation may answer, and no model declares.
// https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html and its like of the other services
var common = []string{
	"AccessDeniedException", "AccessDenied", "ValidationException", "ValidationError", "SerializationException", "UnknownOperationException", "InvalidAction",
	"ThrottlingException", "InternalFailure", "MissingParameter",
}

// checkError checks code, status and members of an error, where the service models its errors: S3 does not.
func (a *answer) checkError() {
	if a.Metadata.Protocol == "rest-xml" {
		return
	}
	code, members := a.readError()
	if code == "" {
		a.wrong("error", "no code in %s", a.body)
		return
	}
	if a.header.Get("X-Amzn-Query-Error") != "" && a.Metadata.AWSQueryCompatible == nil {
		a.wrong("error "+code, "a code of the query protocol, which the service has not")
	}
	s := a.errorOf(a.operation, code)
	if s == nil {
		if !contains(common, code) {
			a.wrong("error", "%s is none that %s declares: %s", code, a.operation.Name, a.body)
		}
		return
	}
	if want := s.Error.HTTPStatusCode; want != 0 && a.status != want {
		a.wrong("error "+code, "status %d, want %d", a.status, want)
	}
	for name := range members {
		if name == "__type" {
			continue
		}
		if s.member(name) == nil && !strings.EqualFold(name, "message") {
			a.wrong("error "+code, "has no member %s", name)
		}
		if upper, lower := s.Members["Message"] != nil, s.Members["message"] != nil; name == "message" && upper && !lower || name == "Message" && lower && !upper {
			a.wrong("error "+code, "the model does not call its text %s", name)
		}
		a.fields++
	}
}

// readError returns the code of an error and its members.
func (a *answer) readError() (code string, members map[string]any) {
	if a.Metadata.Protocol == "query" {
		root, err := readXML(a.body)
		if err != nil || root.child("Error") == nil || root.child("Error").child("Code") == nil {
			return "", nil
		}
		return root.child("Error").child("Code").text, nil
	}
	if json.Unmarshal(a.body, &members) != nil {
		return "", nil
	}
	if code = a.header.Get("X-Amzn-Errortype"); code == "" {
		code, _ = members["__type"].(string)
	}
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndexByte(code, '#')+1:], members
}

// element is one of XML.
type element struct {
	name     xml.Name
	text     string
	attrs    []xml.Attr
	children []*element
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name.Local == name {
			return c
		}
	}
	return nil
}

func readXML(data []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	top := &element{}
	stack := []*element{top}
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && len(top.children) == 1:
			return top.children[0], nil
		case err != nil:
			return nil, fmt.Errorf("read XML %q: %w", data, err)
		}
		last := stack[len(stack)-1]
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name, attrs: t.Copy().Attr}
			last.children = append(last.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			last.text += string(t)
		}
	}
}
