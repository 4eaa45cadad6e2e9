package event

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// recorded are AWS's own examples of events, of the module aws-lambda-go.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecordedEvents(t *testing.T) {
	type want struct {
		Shape                Shape
		Method, Target       string
		Source, ARN, Details string
	}
	raw := func(source, arn, details string) want { return want{Raw, "POST", "/", source, arn, details} }
	for name, expected := range map[string]want{
		"lambda-urls-request.json":                          {Shape: V2, Method: "POST", Target: "/my/path?parameter1=value1&parameter1=value2&parameter2=value"},
		"apigw-v2-request-no-authorizer.json":               {Shape: V2, Method: "GET", Target: "/"},
		"apigw-request.json":                                {Shape: V1, Method: "POST", Target: "/hello/world?name=me"},
		"alb-lambda-target-request-headers-only.json":       {Shape: ALB, Method: "GET", Target: "/?key=hello"},
		"alb-lambda-target-request-multivalue-headers.json": {Shape: ALB, Method: "GET", Target: "/?key=hello"},
		"apigw-custom-auth-request-type-request.json":       raw("", "", ""),
		"apigw-v2-custom-authorizer-v1-request.json":        raw("", "", ""),
		"rabbitmq-event.json":                               raw("aws:rmq", "arn:aws:mq:us-west-2:112556298976:broker:test:b-9bcfa592-423a-4942-879d-eb284b418fc8", ""),
		"lex-event.json":                                    raw("", "", ""),
		"apigw-v2-custom-authorizer-v2-request.json":        raw("", "", ""),
		"apigw-websocket-request.json":                      raw("", "", ""),
		"sqs-event.json":                                    raw("aws:sqs", "arn:aws:sqs:us-west-2:123456789012:SQSQueue", ""),
		"sns-event.json":                                    raw("aws:sns", "arn:aws:sns:EXAMPLE", ""),
		"s3-event.json":                                     raw("aws:s3", "", "ObjectCreated:Put"),
		"kinesis-event.json":                                raw("aws:kinesis", "arn:aws:kinesis:us-east-1:123456789012:stream/simple-stream", "aws:kinesis:record"),
		"dynamodb-event.json":                               raw("aws:dynamodb", "arn:aws:dynamodb:us-east-1:123456789012:table/Example-Table/stream/2016-12-01T00:00:00.000", "INSERT"),
		"ses-lambda-event.json":                             raw("aws:ses", "", ""),
		"kafka-event.json":                                  raw("aws:kafka", "arn:aws:kafka:us-west-2:012345678901:cluster/ExampleMSKCluster/e9f754c6-d29a-4430-a7db-958a19fd2c54-4", ""),
		"cloudwatch-logs-event.json":                        raw("aws:logs", "", ""),
		"autoscaling-event-launch-successful.json":          raw("aws.autoscaling", "", "EC2 Instance Launch Successful"),
		"cognito-event-userpools-presignup.json":            raw("aws:cognito-idp", "", "PreSignUp_SignUp"),
	} {
		t.Run(name, func(t *testing.T) {
			data := recorded(t, name)
			var d Decoder
			e, err := d.Read(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			got := want{e.Shape, e.Method, e.Target, e.Source, e.SourceARN, e.Type}
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			path, _, _ := strings.Cut(e.Target, "?")
			if diff := cmp.Diff(requestLine(t, e.Shape, data), [2]string{e.Method, path}); diff != "" && e.Shape != Raw {
				t.Errorf("AWS's own types read it otherwise (-theirs +ours)\n%s", diff)
			}
		})
	}
}

// requestLine returns method and path as AWS's own types for Go have them.
func requestLine(t *testing.T, shape Shape, data []byte) [2]string {
	t.Helper()
	var (
		v1  events.APIGatewayProxyRequest
		v2  events.APIGatewayV2HTTPRequest
		alb events.ALBTargetGroupRequest
	)
	into := map[Shape]any{Raw: new(any), V1: &v1, V2: &v2, ALB: &alb}[shape]
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
	switch shape {
	case V1:
		return [2]string{v1.HTTPMethod, v1.Path}
	case V2:
		return [2]string{v2.RequestContext.HTTP.Method, v2.RawPath}
	case ALB:
		return [2]string{alb.HTTPMethod, alb.Path}
	}
	return [2]string{}
}

func TestV1RequestsAndAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		event          string
		target, host   string
		header         http.Header
		body, answered string
	}{
		"REST": {
			`{"version":"1.0","resource":"/x","path":"/a b","httpMethod":"POST","headers":{"Host":"h","X-A":"2"},"multiValueHeaders":{"Host":["h"],"X-A":["1","2"]},` +
				`"queryStringParameters":{"q":"2"},"multiValueQueryStringParameters":{"q":["1 &","2"],"e":[""]},"requestContext":{"identity":{"sourceIp":"203.0.113.7"}},"body":"aGk=","isBase64Encoded":true}`,
			"/a%20b?q=1+%26&q=2&e=", "h", http.Header{"X-A": {"1", "2"}}, "hi",
			`{"statusCode":200,"multiValueHeaders":{"content-type":["a"],"x-b":["1","2"],"set-cookie":["c=1","d=2"]},"isBase64Encoded":false,"body":"ok"}`,
		},
		"REST, null queries": {
			`{"path":"/","httpMethod":"GET","headers":null,"multiValueHeaders":null,"queryStringParameters":null,"multiValueQueryStringParameters":null,"requestContext":{},"body":null}`,
			"/", "", http.Header{}, "",
			`{"statusCode":200,"multiValueHeaders":{"content-type":["a"],"x-b":["1","2"],"set-cookie":["c=1","d=2"]},"isBase64Encoded":false,"body":"ok"}`,
		},
		"ALB, single": {
			`{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/a%20b","queryStringParameters":{"q":"1%20%26"},"headers":{"host":"h"},"body":"x","isBase64Encoded":false}`,
			"/a%20b?q=1%20%26", "h", http.Header{}, "x",
			`{"statusCode":200,"statusDescription":"200 OK","headers":{"content-type":"a","x-b":"1, 2","set-cookie":"c=1","Set-cookie":"d=2"},"isBase64Encoded":false,"body":"ok"}`,
		},
		"ALB, multi": {
			`{"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"GET","path":"/","multiValueQueryStringParameters":{"q":["1","2"]},"multiValueHeaders":{"host":["h"],"a":["1","2"]},"body":"","isBase64Encoded":false}`,
			"/?q=1&q=2", "h", http.Header{"A": {"1", "2"}}, "",
			`{"statusCode":200,"statusDescription":"200 OK","multiValueHeaders":{"content-type":["a"],"x-b":["1","2"],"set-cookie":["c=1","d=2"]},"isBase64Encoded":false,"body":"ok"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var d Decoder
			e, err := d.Read(strings.NewReader(c.event), int64(len(c.event)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(e.Body)
			if err != nil || string(body) != c.body || e.Target != c.target || e.Host != c.host {
				t.Errorf("%v: body %q, target %q, host %q", err, body, e.Target, e.Host)
			}
			if diff := cmp.Diff(c.header, e.Header); diff != "" {
				t.Errorf("header (-want +got)\n%s", diff)
			}
			h := http.Header{"Content-Type": {"a"}, "X-B": {"1", "2"}, "Set-Cookie": {"c=1", "d=2"}, "Connection": {"close"}}
			equalJSON(t, c.answered, string(bytes.Join(Whole(e, 200, h, []byte("ok")), nil)))
		})
	}
}
