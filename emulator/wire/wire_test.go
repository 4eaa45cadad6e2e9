package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type everything struct {
	Text    string
	Number  int
	Long    *int64 `json:",omitempty"`
	Ratio   float64
	Yes     bool
	Data    []byte            `json:"data,omitempty"`
	When    Time              `json:",omitzero"`
	List    []inner           `json:"list"`
	Words   []string          `json:",omitempty" query:"Word"`
	Map     map[string]string `json:",omitempty" query:"Attribute"`
	Nothing *inner            `json:",omitempty"`
}

type inner struct{ A, B string }

func full() everything {
	long := int64(-1 << 40)
	return everything{
		Text: "a < b & \"c\"", Number: 300, Long: &long, Ratio: 0.5, Yes: true, Data: []byte{0, 1, 255},
		When: Time{time.UnixMilli(1700000000123).UTC()}, List: []inner{{"1", "2"}, {"3", "4"}}, Words: []string{"x", "y"}, Map: map[string]string{"k": "v", "l": ""},
	}
}

func echo() *Service {
	s := NewService("http://test.example/doc/")
	Handle(s, "Echo", func(_ context.Context, in *everything) (*everything, error) { return in, nil })
	Handle(s, "Fail", func(context.Context, *struct{}) (struct{}, error) {
		return struct{}{}, fmt.Errorf("wrapped: %w", &Error{Code: "Missing", QueryCode: "Old.Missing", Message: "not <there>", Status: 404})
	})
	return s
}

func TestEveryProtocolReachesTheOperation(t *testing.T) {
	body, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"Action": {"Echo"}, "Text": {full().Text}, "Number": {"300"}, "Long": {"-1099511627776"}, "Ratio": {"0.5"}, "Yes": {"true"}, "data": {"AAH/"},
		"When": {"2023-11-14T22:13:20.123Z"}, "list.member.1.A": {"1"}, "list.member.1.B": {"2"}, "list.member.2.A": {"3"}, "list.member.2.B": {"4"},
		"Word.1": {"x"}, "Word.2": {"y"}, "Attribute.1.Name": {"k"}, "Attribute.1.Value": {"v"}, "Attribute.2.Name": {"l"}, "Attribute.2.Value": {""},
	}
	for name, c := range map[string]struct {
		path, target, contentType, body string
		wants                           string
	}{
		"json 1.0": {"/", "Some.Echo", "application/x-amz-json-1.0", string(body), string(body)},
		"json 1.1": {"/", "Some_20200101.Echo", "application/x-amz-json-1.1", string(body), string(body)},
		"cbor":     {"/service/Some/operation/Echo", "", "application/cbor", string(encodeCBOR(full())), string(encodeCBOR(full()))},
		"query": {"/", "", "application/x-www-form-urlencoded", form.Encode(), `<EchoResponse xmlns="http://test.example/doc/"><EchoResult>` +
			`<Text>a &lt; b &amp; &#34;c&#34;</Text><Number>300</Number><Long>-1099511627776</Long><Ratio>0.5</Ratio><Yes>true</Yes><data>AAH/</data>` +
			`<When>2023-11-14T22:13:20.123Z</When><list><member><A>1</A><B>2</B></member><member><A>3</A><B>4</B></member></list><Word>x</Word><Word>y</Word>` +
			`<Attribute><Name>k</Name><Value>v</Value></Attribute><Attribute><Name>l</Name><Value></Value></Attribute></EchoResult>`},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := send(t, c.path, c.target, c.contentType, c.body)
			if status != 200 || !strings.HasPrefix(answer, c.wants) {
				t.Errorf("%d\n%s\nwant\n%s", status, answer, c.wants)
			}
		})
	}
}

func send(t *testing.T, path, target, contentType, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	w := httptest.NewRecorder()
	echo().ServeHTTP(w, r)
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(answer)
}

func TestErrorsInEveryProtocol(t *testing.T) {
	for name, c := range map[string]struct{ path, target, contentType, body, wants string }{
		"json":    {"/", "Some.Fail", "application/x-amz-json-1.0", "", `{"__type":"Missing","message":"not \u003cthere\u003e"}`},
		"cbor":    {"/service/Some/operation/Fail", "", "application/cbor", "", "Missing"},
		"query":   {"/", "", "application/x-www-form-urlencoded", "Action=Fail", "<Type>Sender</Type><Code>Old.Missing</Code><Message>not &lt;there&gt;</Message>"},
		"unknown": {"/", "Some.Nothing", "application/x-amz-json-1.0", "", "UnknownOperationException"},
		"garbage": {"/", "Some.Echo", "application/x-amz-json-1.0", "{", "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := send(t, c.path, c.target, c.contentType, c.body)
			if status < 400 || !strings.Contains(answer, c.wants) {
				t.Errorf("%d %q, want %q", status, answer, c.wants)
			}
		})
	}
}

func TestDecodeCBORNamedForms(t *testing.T) {
	for name, c := range map[string]struct {
		data  string
		wants any
	}{
		"half float":        {"\xf9\x3c\x00", 1.0},
		"negative half":     {"\xf9\xc4\x00", -4.0},
		"subnormal half":    {"\xf9\x00\x01", 5.960464477539063e-8},
		"single":            {"\xfa\x47\xc3\x50\x00", 100000.0},
		"tagged time":       {"\xc1\x1a\x65\x53\xf1\x00", int64(1700000000)},
		"indefinite text":   {"\x7f\x61a\x62bc\xff", "abc"},
		"indefinite array":  {"\x9f\x01\x02\xff", []any{int64(1), int64(2)}},
		"indefinite map":    {"\xbf\x61a\xf5\x61b\xf6\xff", map[string]any{"a": true, "b": nil}},
		"negative":          {"\x39\x01\xf3", int64(-500)},
		"beyond signed":     {"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 18446744073709551615.0},
		"empty definite":    {"\x80", []any{}},
		"truncated":         {"\x62a", nil},
		"a huge length":     {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", nil},
		"number for key":    {"\xa1\x01\x02", nil},
		"trailing":          {"\x01\x02", nil},
		"lone break":        {"\xff", nil},
		"reserved":          {"\x1c", nil},
		"nested too deep":   {strings.Repeat("\x81", 40) + "\x01", nil},
		"mixed chunks":      {"\x7f\x41a\xff", nil},
		"break in definite": {"\x81\xff", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decodeCBOR([]byte(c.data))
			if (err == nil) != (c.wants != nil) {
				t.Fatalf("%v, %v", got, err)
			}
			if err == nil && !cmp.Equal(got, c.wants) {
				t.Error(cmp.Diff(c.wants, got))
			}
		})
	}
}

func FuzzDecodeCBOR(f *testing.F) {
	f.Add(encodeCBOR(full()))
	f.Add([]byte("\xbf\x61a\x9f\xf9\x3c\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := decodeCBOR(data)
		if err != nil {
			return
		}
		again, err := decodeCBOR(encodeAny(value))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(value), fmt.Sprint(again); a != b {
			t.Errorf("%s became %s", a, b)
		}
	})
}

// encodeAny encodes what decodeCBOR returns.
func encodeAny(v any) []byte { return encodeCBOR(v) }

func FuzzDecodeForm(f *testing.F) {
	f.Add("Text=a&list.member.1.A=x&Attribute.1.Name=k&Attribute.1.Value=v&When=2023-11-14")
	f.Add("list.1.A=1&list.99999999999.A=2&Word.entry.1=3")
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		var out everything
		if decodeForm(form, &out) == nil && len(out.List) > strings.Count(text, "list")+1 {
			t.Errorf("%d members out of %q", len(out.List), text)
		}
	})
}

func TestCallers(t *testing.T) {
	for name, c := range map[string]struct {
		header, query string
		wants         Caller
	}{
		"header":           {"AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=0", "", Caller{"example.com", "AKID", "eu-west-1", "lambda"}},
		"without a space":  {"AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/s3/aws4_request,SignedHeaders=host,Signature=0", "", Caller{"example.com", "AKID", "eu-west-1", "s3"}},
		"no region":        {"AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/s3/aws4_request, Signature=0", "", Caller{"example.com", "AKID", "", "s3"}},
		"slashes in a key": {"AWS4-HMAC-SHA256 Credential=a/b/20260101/eu-west-1/sqs/aws4_request", "", Caller{"example.com", "a/b", "eu-west-1", "sqs"}},
		"presigned":        {"", "X-Amz-Credential=AKID%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", Caller{"example.com", "AKID", "us-east-1", "s3"}},
		"basic":            {"Basic QVdTOnRva2Vu", "", Caller{Host: "example.com"}},
		"malformed":        {"AWS4-HMAC-SHA256 Credential=aws4_request", "", Caller{Host: "example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+c.query, nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			if got := CallerOf(r); got != c.wants {
				t.Errorf("%+v, want %+v", got, c.wants)
			}
		})
	}
}

func FuzzCaller(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}, URL: &url.URL{}}
		if c := CallerOf(r); c.Service == "" && c.AccessKey != "" {
			t.Errorf("%+v", c)
		}
	})
}
