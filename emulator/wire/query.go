package wire

import (
	"bytes"
	"crypto/rand"
	"encoding"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// queryProtocol is the AWS query protocol: a form whose keys are paths, and XML answers.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
type queryProtocol struct{}

func (queryProtocol) decode(r *http.Request, into any) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("read form: %w", err)
	}
	return decodeForm(r.Form, into)
}

func (queryProtocol) answer(w http.ResponseWriter, namespace, operation string, out any) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<%sResponse xmlns=%q><%sResult>`, operation, namespace, operation)
	writeXML(&b, reflect.ValueOf(out))
	fmt.Fprintf(&b, `</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>`, operation, NewID(), operation)
	writeXMLBody(w, http.StatusOK, b.Bytes())
}

func (queryProtocol) fail(w http.ResponseWriter, e *Error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<ErrorResponse><Error><Type>%s</Type><Code>`, e.fault())
	escape(&b, e.queryCode())
	b.WriteString(`</Code><Message>`)
	escape(&b, e.Message)
	fmt.Fprintf(&b, `</Message></Error><RequestId>%s</RequestId></ErrorResponse>`, NewID())
	writeXMLBody(w, e.status(), b.Bytes())
}

func writeXMLBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone
}

// NewID makes an identifier in the form of a UUID.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// node is one level of the form's paths.
type node struct {
	text     string
	children map[string]*node
}

// decodeForm fills a struct from a form. Lists are written A.member.1, A.entry.1 or, flattened, A.1; maps the same with .key and .value or .Name and
// .Value.
func decodeForm(form url.Values, into any) error {
	root := &node{}
	for key, values := range form {
		if strings.Count(key, ".") > maxDepth {
			return fmt.Errorf("read form: %q is nested too deep", key)
		}
		n := root
		for part := range strings.SplitSeq(key, ".") {
			if n.children == nil {
				n.children = map[string]*node{}
			}
			if n.children[part] == nil {
				n.children[part] = &node{}
			}
			n = n.children[part]
		}
		n.text = values[0]
	}
	return root.fill(reflect.ValueOf(into).Elem())
}

func (n *node) fill(v reflect.Value) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return n.fill(v.Elem())
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(n.text))
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, m := range members(v) {
			child := n.children[m.name]
			if child == nil && m.flat != "" {
				child = n.children[m.flat]
			}
			if child == nil {
				continue
			}
			if err := child.fill(m.value); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
		return nil
	case reflect.Slice:
		return n.fillSlice(v)
	case reflect.Map:
		return n.fillMap(v)
	}
	return n.fillScalar(v)
}

func (n *node) fillScalar(v reflect.Value) (err error) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(n.text)
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var i int64
		i, err = strconv.ParseInt(n.text, 10, v.Type().Bits())
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(n.text, 64)
		v.SetFloat(f)
	default:
		err = fmt.Errorf("cannot be given as text")
	}
	return err
}

// items returns a list's members in order.
func (n *node) items() []*node {
	for _, wrapper := range []string{"member", "entry"} {
		if list := n.children[wrapper]; list != nil {
			n = list
			break
		}
	}
	numbers := make([]int, 0, len(n.children))
	for key := range n.children {
		if number, err := strconv.Atoi(key); err == nil && strconv.Itoa(number) == key {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	out := make([]*node, len(numbers))
	for i, number := range numbers {
		out[i] = n.children[strconv.Itoa(number)]
	}
	return out
}

func (n *node) fillSlice(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		data, err := base64.StdEncoding.DecodeString(n.text)
		v.SetBytes(data)
		return err
	}
	items := n.items()
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		if err := item.fill(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) fillMap(v reflect.Value) error {
	v.Set(reflect.MakeMap(v.Type()))
	for _, item := range n.items() {
		key, value := first(item.children, "key", "Name", "Key"), first(item.children, "value", "Value")
		if key == nil || value == nil {
			return fmt.Errorf("a map's entry lacks its key or value")
		}
		filled := reflect.New(v.Type().Elem()).Elem()
		if err := value.fill(filled); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(key.text).Convert(v.Type().Key()), filled)
	}
	return nil
}

func first(children map[string]*node, names ...string) *node {
	for _, name := range names {
		if n := children[name]; n != nil {
			return n
		}
	}
	return nil
}

// writeXML writes what stands inside an element.
func writeXML(b *bytes.Buffer, v reflect.Value) {
	if !v.IsValid() || absent(v) {
		return
	}
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		if s, err := text.MarshalText(); err == nil {
			escape(b, string(s))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		writeXML(b, v.Elem())
	case reflect.Struct:
		for _, m := range members(v) {
			if !m.empty {
				writeMember(b, m)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		writeItems(b, "member", v)
	case reflect.Map:
		writeEntries(b, "entry", "key", "value", v)
	default:
		escape(b, fmt.Sprint(v.Interface()))
	}
}

func writeMember(b *bytes.Buffer, m member) {
	switch {
	case m.flat != "" && m.value.Kind() == reflect.Slice:
		writeItems(b, m.flat, m.value)
	case m.flat != "" && m.value.Kind() == reflect.Map:
		writeEntries(b, m.flat, "Name", "Value", m.value)
	default:
		b.WriteString("<" + m.name + ">")
		writeXML(b, m.value)
		b.WriteString("</" + m.name + ">")
	}
}

func writeItems(b *bytes.Buffer, name string, v reflect.Value) {
	for i := range v.Len() {
		b.WriteString("<" + name + ">")
		writeXML(b, v.Index(i))
		b.WriteString("</" + name + ">")
	}
}

func writeEntries(b *bytes.Buffer, name, key, value string, v reflect.Value) {
	for _, k := range sortedKeys(v) {
		b.WriteString("<" + name + "><" + key + ">")
		writeXML(b, k)
		b.WriteString("</" + key + "><" + value + ">")
		writeXML(b, v.MapIndex(k))
		b.WriteString("</" + value + "></" + name + ">")
	}
}

func escape(b *bytes.Buffer, s string) { _ = xml.EscapeText(b, []byte(s)) } // a buffer never fails
