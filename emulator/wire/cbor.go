package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
)

// cborProtocol is Smithy RPC v2 CBOR: POST /service/SERVICE/operation/OPERATION.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
type cborProtocol struct{}

func cborPath(path string) (operation string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "service" || parts[3] != "operation" {
		return "", false
	}
	return parts[4], true
}

func (cborProtocol) decode(r *http.Request, into any) error {
	data, err := io.ReadAll(r.Body) // bounded by maxRequest
	if err != nil || len(data) == 0 {
		return err
	}
	value, err := decodeCBOR(data)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("read CBOR: %w", err)
	}
	return json.Unmarshal(plain, into)
}

func (p cborProtocol) answer(w http.ResponseWriter, _, _ string, out any) {
	p.write(w, http.StatusOK, out)
}

func (p cborProtocol) fail(w http.ResponseWriter, e *Error) {
	if e.QueryCode != "" {
		w.Header().Set("x-amzn-query-error", e.QueryCode+";"+e.fault())
	}
	p.write(w, e.status(), map[string]string{"__type": e.Code, "message": e.Message})
}

func (cborProtocol) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("smithy-protocol", "rpc-v2-cbor")
	w.WriteHeader(status)
	_, _ = w.Write(encodeCBOR(body)) // the client is gone
}

// maxDepth of nested values.
const maxDepth = 32

var errCBOR = errors.New("read CBOR: malformed")

// decodeCBOR reads one value (RFC 8949): maps become map[string]any, arrays []any, integers int64 or float64 where they do not fit, a tagged value what
// is tagged.
func decodeCBOR(data []byte) (any, error) {
	d := &cborReader{data: data}
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if len(d.data) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the value", errCBOR, len(d.data))
	}
	return value, nil
}

type cborReader struct{ data []byte }

// The major types, in the upper three bits of a value's first byte.
const (
	majorUnsigned = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// indefinite marks a value that ends with a break.
const indefinite = 31

func (d *cborReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested too deep", errCBOR)
	}
	major, info, n, err := d.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case majorUnsigned:
		return integer(n, false), nil
	case majorNegative:
		return integer(n, true), nil
	case majorBytes:
		return d.bytes(info, n, major)
	case majorText:
		text, err := d.bytes(info, n, major)
		return string(text), err
	case majorArray:
		return d.array(info, n, depth)
	case majorMap:
		return d.mapping(info, n, depth)
	case majorTag:
		return d.value(depth + 1)
	default:
		return simple(info, n)
	}
}

// head reads a first byte and its argument.
func (d *cborReader) head() (major, info byte, n uint64, err error) {
	if len(d.data) == 0 {
		return 0, 0, 0, fmt.Errorf("%w: it ends early", errCBOR)
	}
	major, info = d.data[0]>>5, d.data[0]&31
	d.data = d.data[1:]
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info == indefinite && major >= majorBytes && major != majorTag:
		return major, info, 0, nil
	case info > 27:
		return 0, 0, 0, fmt.Errorf("%w: reserved length", errCBOR)
	}
	size := 1 << (info - 24)
	if len(d.data) < size {
		return 0, 0, 0, fmt.Errorf("%w: it ends early", errCBOR)
	}
	for _, b := range d.data[:size] {
		n = n<<8 | uint64(b)
	}
	d.data = d.data[size:]
	return major, info, n, nil
}

func integer(n uint64, negative bool) any {
	switch {
	case n > math.MaxInt64 && negative:
		return -1 - float64(n)
	case n > math.MaxInt64:
		return float64(n)
	case negative:
		return -1 - int64(n)
	}
	return int64(n)
}

func (d *cborReader) bytes(info byte, n uint64, major byte) ([]byte, error) {
	if info != indefinite {
		if n > uint64(len(d.data)) {
			return nil, fmt.Errorf("%w: it ends early", errCBOR)
		}
		out := d.data[:n]
		d.data = d.data[n:]
		return out, nil
	}
	var out []byte
	for !d.atBreak() {
		m, i, n, err := d.head()
		if err != nil {
			return nil, err
		}
		if m != major || i == indefinite {
			return nil, fmt.Errorf("%w: a string of mixed chunks", errCBOR)
		}
		chunk, err := d.bytes(i, n, major)
		if err != nil {
			return nil, err
		}
		out = append(out, chunk...)
	}
	return out, nil
}

// atBreak takes the end of an indefinite value.
func (d *cborReader) atBreak() bool {
	if len(d.data) > 0 && d.data[0] == majorSimple<<5|indefinite {
		d.data = d.data[1:]
		return true
	}
	return false
}

func (d *cborReader) array(info byte, n uint64, depth int) (any, error) {
	out := []any{}
	for more := d.counter(info, n); more(); {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

func (d *cborReader) mapping(info byte, n uint64, depth int) (any, error) {
	out := map[string]any{}
	for more := d.counter(info, n); more(); {
		key, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a map's key is no text", errCBOR)
		}
		if out[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// counter tells whether another item follows.
func (d *cborReader) counter(info byte, n uint64) func() bool {
	if info == indefinite {
		return func() bool { return !d.atBreak() }
	}
	return func() bool { n--; return n != math.MaxUint64 }
}

func simple(info byte, n uint64) (any, error) {
	switch info {
	case 20, 21:
		return info == 21, nil
	case 22, 23:
		return nil, nil
	case 25:
		return half(uint16(n)), nil
	case 26:
		return float64(math.Float32frombits(uint32(n))), nil
	case 27:
		return math.Float64frombits(n), nil
	}
	return nil, fmt.Errorf("%w: unknown simple value", errCBOR)
}

// half reads a float of 16 bits.
func half(bits uint16) float64 {
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	value := math.Ldexp(1024+fraction, exponent-25)
	switch exponent {
	case 0:
		value = math.Ldexp(fraction, -24)
	case 31:
		value = math.Inf(1)
		if fraction > 0 {
			value = math.NaN()
		}
	}
	if bits>>15 == 1 {
		return -value
	}
	return value
}
