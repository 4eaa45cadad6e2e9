package lambda

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// urlEvent is a request of a function URL as the function gets it: payload format 2.0.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
type urlEvent struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        urlContext        `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type urlContext struct {
	AccountID    string         `json:"accountId"`
	APIID        string         `json:"apiId"`
	Authorizer   map[string]any `json:"authorizer,omitempty"`
	DomainName   string         `json:"domainName"`
	DomainPrefix string         `json:"domainPrefix"`
	HTTP         struct {
		Method    string `json:"method"`
		Path      string `json:"path"`
		Protocol  string `json:"protocol"`
		SourceIP  string `json:"sourceIp"`
		UserAgent string `json:"userAgent"`
	} `json:"http"`
	RequestID string `json:"requestId"`
	RouteKey  string `json:"routeKey"`
	Stage     string `json:"stage"`
	Time      string `json:"time"`
	TimeEpoch int64  `json:"timeEpoch"`
}

// newURLEvent makes the event of a request. The caller is of an account, "anonymous" without a signature.
func (s *Service) newURLEvent(r *http.Request, body []byte, u *functionURL, trace string) ([]byte, error) {
	e := urlEvent{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery, Headers: map[string]string{},
		QueryStringParameters: joinedQuery(r.URL.RawQuery),
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			for _, value := range values {
				for cookie := range strings.SplitSeq(value, ";") {
					e.Cookies = append(e.Cookies, strings.TrimSpace(cookie))
				}
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	client, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		client = r.RemoteAddr
	}
	_, own, _ := net.SplitHostPort(r.Host)
	maps.Copy(e.Headers, map[string]string{
		"host": r.Host, "x-forwarded-for": client, "x-forwarded-proto": "http", "x-forwarded-port": own, "x-amzn-trace-id": trace,
	})
	if len(body) > 0 {
		if e.IsBase64Encoded = !isText(r.Header); e.IsBase64Encoded {
			e.Body = base64.StdEncoding.EncodeToString(body)
		} else {
			e.Body = string(body)
		}
	}
	now := time.Now().UTC()
	c := &e.RequestContext
	c.AccountID, c.APIID, c.DomainName, c.DomainPrefix, c.RequestID = "anonymous", u.ID, r.Host, u.ID, wire.NewID()
	c.RouteKey, c.Stage, c.Time, c.TimeEpoch = "$default", "$default", now.Format("02/Jan/2006:15:04:05 -0700"), now.UnixMilli()
	c.HTTP.Method, c.HTTP.Path, c.HTTP.Protocol, c.HTTP.SourceIP, c.HTTP.UserAgent = r.Method, r.URL.Path, r.Proto, client, r.UserAgent()
	if u.AuthType == authIAM {
		c.AccountID = s.opts.Account
		c.Authorizer = map[string]any{"iam": map[string]any{
			"accessKey": wire.CallerOf(r).AccessKey, "accountId": s.opts.Account, "callerId": "AIDALOCAL", "cognitoIdentity": nil, "principalOrgId": nil,
			"userArn": "arn:aws:iam::" + s.opts.Account + ":user/local", "userId": "AIDALOCAL",
		}}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return data, nil
}

// joinedQuery has parameters that come several times joined by commas, in their order.
func joinedQuery(raw string) map[string]string {
	values, _ := url.ParseQuery(raw) // what can be read of it
	if len(values) == 0 {
		return nil
	}
	out := map[string]string{}
	for name, all := range values {
		out[name] = strings.Join(all, ",")
	}
	return out
}

// textTypes are the content types whose bodies are not encoded in base64, beside text/*.
var textTypes = []string{"application/json", "application/xml", "application/javascript"}

func isText(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || h.Get("Content-Encoding") != "" {
		return false
	}
	return strings.HasPrefix(kind, "text/") || slices.Contains(textTypes, kind) || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}
