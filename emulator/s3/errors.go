package s3

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
)

// Errors that Store's methods wrap.
var (
	ErrNoBucket  = errors.New("the specified bucket does not exist")
	ErrNoKey     = errors.New("the specified key does not exist")
	ErrNoVersion = errors.New("the specified version does not exist")
)

// failure is an error answer, worded as S3 does.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type failure struct {
	XMLName       xml.Name `xml:"Error"`
	Status        int      `xml:"-"`
	Code          string
	Message       string
	ArgumentName  string `xml:",omitempty"`
	ArgumentValue string `xml:",omitempty"`
	BucketName    string `xml:",omitempty"`
	Key           string `xml:",omitempty"`
	UploadId      string `xml:",omitempty"`
	Resource      string
	RequestId     string
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

func refuse(status int, code, message string) *failure {
	return &failure{Status: status, Code: code, Message: message}
}

func noBucket(name string) *failure {
	return &failure{Status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist", BucketName: name}
}

func noKey(key string) *failure {
	return &failure{Status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist.", Key: key}
}

func noUpload(id string) *failure {
	return &failure{Status: http.StatusNotFound, Code: "NoSuchUpload", UploadId: id,
		Message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."}
}

func badDigest(message string) *failure {
	return refuse(http.StatusBadRequest, "BadDigest", message)
}

func malformedXML() *failure {
	return refuse(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

func preconditionFailed() *failure {
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

// asFailure words any error of the store.
func asFailure(err error, bucket, key string) *failure {
	var known *failure
	switch {
	case errors.As(err, &known):
		answer := *known
		return &answer
	case errors.Is(err, ErrNoBucket):
		return noBucket(bucket)
	case errors.Is(err, ErrNoKey):
		return noKey(key)
	case errors.Is(err, errNoUpload):
		return noUpload("")
	case errors.Is(err, errChunks), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(http.StatusBadRequest, "IncompleteBody", "The request body terminated unexpectedly")
	}
	return refuse(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again. "+err.Error())
}
