package wire

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"
)

// member is one field of a struct as the protocols see it.
type member struct {
	name  string
	flat  string // what the query protocol calls each item, for a list or map that it writes flattened
	value reflect.Value
	empty bool // and to be left out
}

// members lists a struct's fields, those of embedded structs among them.
func members(v reflect.Value) []member {
	var out []member
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() && !field.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
			out = append(out, members(v.Field(i))...)
			continue
		}
		if name == "" {
			name = field.Name
		}
		empty := strings.Contains(options, "omit") && v.Field(i).IsZero() || absent(v.Field(i))
		out = append(out, member{name: name, flat: field.Tag.Get("query"), value: v.Field(i), empty: empty})
	}
	return out
}

// absent tells what has no value at all.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map:
		return v.IsNil()
	}
	return false
}

func encodeCBOR(value any) []byte { return appendCBOR(nil, reflect.ValueOf(value)) }

func appendCBOR(out []byte, v reflect.Value) []byte {
	if !v.IsValid() || absent(v) {
		return append(out, majorSimple<<5|22)
	}
	if t, ok := v.Interface().(Time); ok {
		return appendFloat(append(out, majorTag<<5|1), t.seconds())
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return appendCBOR(out, v.Elem())
	case reflect.String:
		return append(appendHead(out, majorText, uint64(v.Len())), v.String()...)
	case reflect.Bool:
		if v.Bool() {
			return append(out, majorSimple<<5|21)
		}
		return append(out, majorSimple<<5|20)
	case reflect.Int, reflect.Int32, reflect.Int64:
		if n := v.Int(); n < 0 {
			return appendHead(out, majorNegative, uint64(-1-n))
		}
		return appendHead(out, majorUnsigned, uint64(v.Int()))
	case reflect.Float64:
		return appendFloat(out, v.Float())
	case reflect.Slice:
		return appendSlice(out, v)
	case reflect.Map:
		return appendMap(out, v)
	case reflect.Struct:
		return appendStruct(out, v)
	}
	return append(out, majorSimple<<5|22)
}

func appendHead(out []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(out, major<<5|byte(n))
	case n <= math.MaxUint8:
		return append(out, major<<5|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(out, major<<5|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(out, major<<5|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(out, major<<5|27), n)
}

func appendFloat(out []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(out, majorSimple<<5|27), math.Float64bits(f))
}

func appendSlice(out []byte, v reflect.Value) []byte {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return append(appendHead(out, majorBytes, uint64(v.Len())), v.Bytes()...)
	}
	out = appendHead(out, majorArray, uint64(v.Len()))
	for i := range v.Len() {
		out = appendCBOR(out, v.Index(i))
	}
	return out
}

func appendMap(out []byte, v reflect.Value) []byte {
	out = appendHead(out, majorMap, uint64(v.Len()))
	for _, key := range sortedKeys(v) {
		out = appendCBOR(appendCBOR(out, key), v.MapIndex(key))
	}
	return out
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

func appendStruct(out []byte, v reflect.Value) []byte {
	present := slices.DeleteFunc(members(v), func(m member) bool { return m.empty })
	out = appendHead(out, majorMap, uint64(len(present)))
	for _, m := range present {
		out = appendCBOR(append(appendHead(out, majorText, uint64(len(m.name))), m.name...), m.value)
	}
	return out
}
