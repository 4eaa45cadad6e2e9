package lambda

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// chunkSize is the largest payload of one PayloadChunk event.
const chunkSize = 64 << 10

func (s *Service) invokeStream(w http.ResponseWriter, r *http.Request, target string) error {
	kind := r.Header.Get("X-Amz-Invocation-Type")
	switch kind {
	case "":
		kind = invokeSync
	case invokeAsync:
		return validation([]string{"Value 'Event' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: " +
			"[RequestResponse, DryRun]"})
	}
	l, ev, err := s.request(w, r, target, kind)
	if err != nil {
		return err
	}
	if kind == invokeDryRun {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	v := newReceiver()
	defer v.leave()
	done, err := s.begin(l, ev, v)
	if err != nil {
		return err
	}
	return s.answerStream(w, r, v, done)
}

// answerStream sends the response as it comes, and how it ended.
func (s *Service) answerStream(w http.ResponseWriter, r *http.Request, v *receiver, done <-chan outcome) error {
	var out outcome
	var failed *functionError
	stream := &eventWriter{w: w, flush: http.NewResponseController(w)}
	select {
	case response := <-v.responses:
		failed = stream.chunks(response, w.Header().Get("x-amzn-RequestId"))
		// A stream that broke off waits for the reason.
		out = s.await(r, done, failed != nil || r.Header.Get("X-Amz-Log-Type") == "Tail")
	case out = <-done:
		select {
		case response := <-v.responses:
			failed = stream.chunks(response, "")
		default:
		}
	case <-r.Context().Done():
		return nil
	}
	if out.err != nil && !stream.begun {
		return serviceError(out.err)
	}
	if out.failure == nil {
		out.failure = failed
	}
	stream.complete(out, r.Header.Get("X-Amz-Log-Type") == "Tail")
	return nil
}

// eventWriter writes an event stream. A client that is gone ends it silently.
type eventWriter struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	begun bool
	gone  bool
}

func (e *eventWriter) event(kind, contentType string, payload []byte) {
	if !e.begun {
		e.begun = true
		e.w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		e.w.WriteHeader(http.StatusOK)
	}
	if e.gone {
		return
	}
	if _, err := e.w.Write(eventMessage(kind, contentType, payload)); err != nil {
		e.gone = true
		return
	}
	e.gone = e.flush.Flush() != nil
}

// chunks sends the body, each piece as soon as it is there, and returns how it failed if it did.
func (e *eventWriter) chunks(response sandbox.Response, requestID string) *functionError {
	defer func() { _ = response.Body.Close() }() // it never fails
	buf := make([]byte, chunkSize)
	for !e.gone {
		n, err := response.Body.Read(buf)
		if n > 0 {
			e.event("PayloadChunk", "application/octet-stream", buf[:n])
		}
		if err != nil {
			return describe(err, requestID, 0) // nil at the end
		}
	}
	return nil
}

func (e *eventWriter) complete(out outcome, tail bool) {
	var end struct {
		ErrorCode    string `json:",omitempty"`
		ErrorDetails string `json:",omitempty"`
		LogResult    string `json:",omitempty"`
	}
	switch {
	case out.err != nil:
		end.ErrorCode, end.ErrorDetails = "ServiceException", string(errorDocument("ServiceException", out.err.Error()))
	case out.failure != nil:
		end.ErrorCode, end.ErrorDetails = unhandled, string(out.failure.document)
	}
	if tail && out.log != nil {
		end.LogResult = base64.StdEncoding.EncodeToString(out.log.tail())
	}
	payload, err := json.Marshal(end)
	if err != nil {
		return // strings always encode
	}
	e.event("InvokeComplete", "application/json", payload)
}
