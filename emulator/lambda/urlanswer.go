package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// answerURL invokes a function with a request of its URL.
func (s *Service) answerURL(w http.ResponseWriter, r *http.Request, q ref, id string) {
	trace := traceID(r.Header)
	requestID := wire.NewID()
	w.Header().Set("x-amzn-RequestId", requestID)
	w.Header().Set("X-Amzn-Trace-Id", trace)
	u := s.attachedTo(q).URL
	if u == nil || u.ID != id {
		refuseURL(w, http.StatusForbidden, "AccessDeniedException", "Forbidden")
		return
	}
	if u.Cors != nil && u.Cors.answer(w, r) {
		return
	}
	if !s.mayCall(r, q, u) {
		refuseURL(w, http.StatusForbidden, "AccessDeniedException", "Forbidden")
		return
	}
	body, err := readBody(r, maxSyncPayload)
	if errors.Is(err, errExceeded) {
		refuseURL(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request Entity Too Large")
		return
	}
	if err != nil {
		refuseURL(w, http.StatusBadRequest, "BadRequestException", "Bad Request")
		return
	}
	payload, err := s.newURLEvent(r, body, u, trace)
	if err != nil || len(payload) > maxSyncPayload {
		refuseURL(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request Entity Too Large")
		return
	}
	if q.qualifier == "" {
		q.qualifier = latest
	}
	l, err := s.acquire(q)
	if err != nil {
		var refused *apiError
		if errors.As(err, &refused) && refused.code == "TooManyRequestsException" {
			refuseURL(w, http.StatusTooManyRequests, refused.code, "Rate Exceeded.")
			return
		}
		refuseURL(w, http.StatusBadGateway, "BadGatewayException", "Internal Server Error")
		return
	}
	s.invokeURL(w, r, u, l, event{requestID: requestID, arn: s.qualifiedARN(q.name, strings.TrimPrefix(q.qualifier, latest)), payload: payload, traceID: trace})
}

// refuseURL answers as Lambda does before the function, or where it failed.
func refuseURL(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("x-amzn-ErrorType", code)
	writeJSON(w, status, map[string]string{"Message": message})
}

// mayCall tells whether a request may invoke: with a signature, which is not verified, where one is wanted; else by two permissions for everybody.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
func (s *Service) mayCall(r *http.Request, q ref, u *functionURL) bool {
	if u.AuthType == authIAM {
		return wire.CallerOf(r).AccessKey != ""
	}
	p := s.attachedTo(q).Policy
	context := map[string]string{strings.ToLower(functionURLAuth): authNone, strings.ToLower(viaFunctionURL): "true"}
	return p.permits(asking{action: invokeURLAction, context: context}) && p.permits(asking{action: invokeAction, context: context})
}

func (s *Service) invokeURL(w http.ResponseWriter, r *http.Request, u *functionURL, l *lease, ev event) {
	v := newReceiver()
	defer v.leave()
	done, err := s.begin(l, ev, v)
	if err != nil {
		refuseURL(w, http.StatusBadGateway, "BadGatewayException", "Internal Server Error")
		return
	}
	var response sandbox.Response
	select {
	case response = <-v.responses:
	case <-done:
		select {
		case response = <-v.responses: // complete, as the invocation is
		default: // the function failed
			failURL(w)
			return
		}
	case <-r.Context().Done():
		return
	}
	defer func() { _ = response.Body.Close() }() // it never fails
	if u.InvokeMode == modeStream {
		streamURL(w, response)
	} else {
		bufferURL(w, response)
	}
	s.await(r, done, false)
}

func failURL(w http.ResponseWriter) {
	w.Header().Set("x-amzn-ErrorType", "InternalServerErrorException")
	http.Error(w, "Internal Server Error", http.StatusBadGateway)
}

// urlResponse is what a function answers, or what stands before a streamed answer.
type urlResponse struct {
	StatusCode      json.Number    `json:"statusCode"`
	Headers         map[string]any `json:"headers"`
	Cookies         []string       `json:"cookies"`
	Body            *string        `json:"body"`
	IsBase64Encoded bool           `json:"isBase64Encoded"`
}

// head writes status and headers; ok is false where they are none.
func (u *urlResponse) head(w http.ResponseWriter) (status int, ok bool) {
	status = http.StatusOK
	if u.StatusCode != "" {
		n, err := strconv.Atoi(u.StatusCode.String())
		if err != nil || n < 100 || n > 599 {
			return 0, false
		}
		status = n
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	for name, value := range u.Headers {
		switch v := value.(type) {
		case string:
			w.Header().Set(name, v)
		case json.Number, bool, float64:
			text, err := json.Marshal(v)
			if err != nil {
				return 0, false
			}
			w.Header().Set(name, string(text))
		case nil:
		default:
			return 0, false
		}
	}
	w.Header().Del("Content-Length")    // of what is sent
	w.Header().Del("Transfer-Encoding") // too
	for _, cookie := range u.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	return status, true
}

// bufferURL sends a whole answer: what has a statusCode is a response, any other JSON is the body of one.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
func bufferURL(w http.ResponseWriter, response sandbox.Response) {
	body, failure := collect(response, "")
	if failure != nil {
		failURL(w)
		return
	}
	if head, rest, ok := bytes.Cut(body, preludeEnd); ok && response.ContentType == preludeType {
		var prelude urlResponse
		if json.Unmarshal(head, &prelude) != nil {
			failURL(w)
			return
		}
		sendURL(w, &prelude, rest)
		return
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members["statusCode"] == nil {
		sendURL(w, &urlResponse{}, body)
		return
	}
	var whole urlResponse
	if json.Unmarshal(body, &whole) != nil {
		failURL(w)
		return
	}
	var content []byte
	if whole.Body != nil {
		content = []byte(*whole.Body)
	}
	if whole.IsBase64Encoded {
		var err error
		if content, err = base64.StdEncoding.DecodeString(string(content)); err != nil {
			failURL(w)
			return
		}
	}
	sendURL(w, &whole, content)
}

func sendURL(w http.ResponseWriter, head *urlResponse, body []byte) {
	status, ok := head.head(w)
	if !ok {
		failURL(w)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone
}

// What stands before a streamed answer: JSON, ended by eight NUL bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
const preludeType = "application/vnd.awslambda.http-integration-response"

var preludeEnd = make([]byte, 8)

// maxPrelude bounds it.
const maxPrelude = 1 << 20

// streamURL sends an answer as it comes.
func streamURL(w http.ResponseWriter, response sandbox.Response) {
	var first []byte
	head := &urlResponse{}
	switch response.ContentType {
	case preludeType:
		var err error
		if head, first, err = readPrelude(response.Body); err != nil {
			failURL(w)
			return
		}
	case "":
		w.Header().Set("Content-Type", "application/octet-stream")
	default:
		w.Header().Set("Content-Type", response.ContentType)
	}
	status, ok := head.head(w)
	if !ok {
		failURL(w)
		return
	}
	w.WriteHeader(status)
	out := flusher{w, http.NewResponseController(w)}
	_, err := io.Copy(out, io.MultiReader(bytes.NewReader(first), response.Body))
	var failed *sandbox.Failure
	if errors.As(err, &failed) { // in the middle: the client must not take it for the whole
		panic(http.ErrAbortHandler)
	}
}

// readPrelude reads up to the end of the prelude; rest is what came with it.
func readPrelude(r io.Reader) (head *urlResponse, rest []byte, err error) {
	var got []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if text, rest, ok := bytes.Cut(got, preludeEnd); ok {
			head = &urlResponse{}
			return head, slices.Clone(rest), json.Unmarshal(text, head)
		}
		if err != nil {
			return nil, nil, err
		}
		if len(got) > maxPrelude {
			return nil, nil, errExceeded
		}
	}
}

// flusher sends each piece at once.
type flusher struct {
	w     io.Writer
	flush *http.ResponseController
}

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.flush.Flush()
	}
	return n, err
}
