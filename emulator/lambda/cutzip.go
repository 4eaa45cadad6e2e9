package lambda

import (
	"bytes"
	"encoding/base64"
	"regexp"
)

// coded is a request that may carry a zip.
type coded interface {
	// code is where; nil if the request has none.
	code() *codeSource
}

func (in *createRequest) code() *codeSource     { return in.Code }
func (in *updateCodeRequest) code() *codeSource { return &in.codeSource }
func (in *publishLayerRequest) code() *codeSource {
	if in.Content == nil {
		return nil
	}
	return &in.Content.codeSource
}

// maxOther is more than any member of a request but its zip may have.
const maxOther = 64 << 10

// A quote within a string is escaped, so this matches a member's name only.
var zipMember = regexp.MustCompile(`"ZipFile"\s*:\s*"`)

// cutZip takes the zip out of a request's JSON and decodes it: a JSON decoder would read its tens of megabytes several times over. What is small, or
// written in another way, stays where it is, and zip is nil.
func cutZip(request []byte) (rest, zip []byte) {
	if len(request) < maxOther {
		return request, nil
	}
	at := zipMember.FindIndex(request)
	if at == nil {
		return request, nil
	}
	value := request[at[1]:]
	end := bytes.IndexByte(value, '"')
	if end < maxOther {
		return request, nil
	}
	zip = make([]byte, base64.StdEncoding.DecodedLen(end))
	n, err := base64.StdEncoding.Decode(zip, value[:end])
	if err != nil || bytes.ContainsAny(value[:end], "\r\n") { // line ends, which base64 passes over, are an error of JSON
		return request, nil
	}
	return append(request[:at[1]:at[1]], value[end:]...), zip[:n]
}
