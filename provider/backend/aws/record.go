package aws

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// A function's record lies in its tags: Lambda allows 50, each value of at most
// 256 characters of a small alphabet that holds base64's
// (docs.aws.amazon.com/lambda, "Using tags on Lambda functions").
const (
	tagService   = "faas-lambda:service"   // the OpenFaaS name: marks a function as ours
	tagNamespace = "faas-lambda:namespace" //
	tagRecord    = "faas-lambda:record"    // version:pieces:checksum
	tagPiece     = "faas-lambda:record:"   // and two digits: base64 of the deflated JSON of record
	maxTagValue  = 256
	maxPieces    = 45       // leaves tags to the account's owner
	maxJSON      = 16 << 20 // of a record, inflated: what is larger was not written by us
)

// record is what is known of a function beside its Lambda configuration.
type record struct {
	// Deployed is the deployment without what lies elsewhere: Service and
	// Namespace in tags of their own, EnvVars and EnvProcess in the
	// function's environment.
	Deployed types.FunctionDeployment `json:"deployed"`
	Created  time.Time                `json:"created"`
	Replicas uint64                   `json:"replicas"`
}

var errRecord = errors.New("record in the function's tags is damaged")

func newRecord(d types.FunctionDeployment, created time.Time) record {
	r := record{Deployed: d, Created: created.UTC().Truncate(time.Second), Replicas: backend.MinReplicas(d)}
	r.Deployed.EnvVars, r.Deployed.EnvProcess = nil, ""
	return r
}

// encodeRecord returns the tags of a function. The same record gives the same
// tags. One that does not fit is an invalid deployment.
func encodeRecord(r record) (map[string]string, error) {
	service, namespace := r.Deployed.Service, r.Deployed.Namespace
	r.Deployed.Service, r.Deployed.Namespace = "", ""
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	text := base64.RawStdEncoding.EncodeToString(packed.Bytes())
	if limit := maxPieces * maxTagValue; len(text) > limit {
		return nil, backend.Errorf(backend.ErrInvalid,
			"labels, annotations, secrets and constraints of function %s take %d characters compressed, more than the %d that Lambda's tags hold", service, len(text), limit)
	}
	tags := map[string]string{tagService: service, tagNamespace: namespace}
	pieces := 0
	for rest := text; rest != ""; pieces++ {
		n := min(len(rest), maxTagValue)
		tags[piece(pieces)] = rest[:n]
		rest = rest[n:]
	}
	tags[tagRecord] = fmt.Sprintf("1:%d:%08x", pieces, crc32.ChecksumIEEE([]byte(text)))
	return tags, nil
}

func piece(i int) string { return fmt.Sprintf("%s%02d", tagPiece, i) }

// ours tells whether tags are those of a function that this program made.
func ours(tags map[string]string) bool { return tags[tagService] != "" }

// decodeRecord is the reverse of encodeRecord. Other tags are ignored.
func decodeRecord(tags map[string]string) (record, error) {
	var r record
	version, rest, _ := strings.Cut(tags[tagRecord], ":")
	count, sum, _ := strings.Cut(rest, ":")
	pieces, err := strconv.Atoi(count)
	if version != "1" || err != nil || pieces < 0 || pieces > maxPieces {
		return r, fmt.Errorf("%w: tag %s is %q", errRecord, tagRecord, tags[tagRecord])
	}
	var text strings.Builder
	for i := range pieces {
		text.WriteString(tags[piece(i)])
	}
	if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text.String()))); got != sum {
		return r, fmt.Errorf("%w: its pieces do not match their checksum", errRecord)
	}
	packed, err := base64.RawStdEncoding.DecodeString(text.String())
	if err != nil {
		return r, fmt.Errorf("%w: %w", errRecord, err)
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxJSON))
	if err != nil {
		return r, fmt.Errorf("%w: %w", errRecord, err)
	}
	if err := json.Unmarshal(plain, &r); err != nil {
		return record{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	r.Deployed.Service, r.Deployed.Namespace = tags[tagService], tags[tagNamespace]
	return r, nil
}
