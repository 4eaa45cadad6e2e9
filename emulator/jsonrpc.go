package emulator

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"
)

// The protocol of Secrets Manager and Systems Manager, AWS JSON 1.1: POST / with the operation in X-Amz-Target.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html

// maxJSONRequest bounds a request: 64 KiB of secret, escaped, with what is around it.
const maxJSONRequest = 1 << 20

// A call answers one operation of JSON 1.1.
type call func(w http.ResponseWriter, r *http.Request)

// openCalls opens the services of JSON 1.1.
func (s *Server) openCalls() error {
	secrets, err := openSecretsManager(s.store.dir, s.opts.Region, s.opts.Account)
	if err != nil {
		return err
	}
	parameters, err := openParameterStore(s.store.dir, s.opts.Region, s.opts.Account)
	if err != nil {
		return err
	}
	s.calls = secrets.calls()
	maps.Copy(s.calls, parameters.calls())
	s.calls["ResourceGroupsTaggingAPI_20170126.GetResources"] = jsonCall(s.getResources)
	return nil
}

// jsonCall makes a call of what takes the request's and gives the answer's members.
func jsonCall[In, Out any](f func(in *In) (Out, error)) call {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := readBody(r, maxJSONRequest)
		if err != nil {
			writeJSONError(w, &apiError{status: http.StatusBadRequest, code: "SerializationException", message: err.Error()})
			return
		}
		in := new(In)
		if err := json.Unmarshal(data, in); err != nil {
			writeJSONError(w, &apiError{status: http.StatusBadRequest, code: "SerializationException"})
			return
		}
		out, err := f(in)
		if err != nil {
			writeJSONError(w, err)
			return
		}
		writeJSON11(w, http.StatusOK, out)
	}
}

// refused is an error of JSON 1.1, whose services answer 400 for whatever is the caller's fault.
func refused(code, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: message}
}

// capitalMessage tells which errors carry their text in Message: those of Secrets Manager's model.
func (e *apiError) capitalMessage() bool {
	switch e.code {
	case "ResourceNotFoundException", "ResourceExistsException", "InvalidParameterException", "InvalidRequestException", "LimitExceededException",
		"InvalidNextTokenException", "InternalServiceError":
		return true
	}
	return false
}

func writeJSONError(w http.ResponseWriter, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{status: http.StatusInternalServerError, code: "InternalServiceError", message: err.Error()}
	}
	body := map[string]string{"__type": e.code}
	switch {
	case e.message == "": // such as ParameterNotFound
	case e.capitalMessage():
		body["Message"] = e.message
	default:
		body["message"] = e.message
	}
	writeJSON11(w, e.status, body)
}

func writeJSON11(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"__type":"InternalServiceError"}`)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client is gone
}

// epoch is a time as JSON 1.1 writes it: seconds, with three digits after the point.
type epoch time.Time

// MarshalJSON writes what SDKs read as a timestamp.
func (e epoch) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Time(e).UnixMilli()) / 1000)
}

// tag is how both services write one.
type tag struct{ Key, Value string }

// withTags returns tags with others added or replaced.
func withTags(tags, others []tag) []tag {
	merged := append([]tag(nil), tags...)
next:
	for _, t := range others {
		for i := range merged {
			if merged[i].Key == t.Key {
				merged[i] = t
				continue next
			}
		}
		merged = append(merged, t)
	}
	return merged
}
