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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/policy"
)

// What is known of a function lies in its tags: Lambda allows 50, each value of
// at most 256 characters of a small alphabet that holds base64's
// (docs.aws.amazon.com/lambda, "Using tags on Lambda functions"). What is too
// long for them lies in an object of S3 that they name.
const (
	tagService   = policy.OwnTag           // the OpenFaaS name: marks a function as ours
	tagNamespace = "faas-lambda:namespace" //
	tagRecord    = "faas-lambda:record"    // version:pieces:checksum, or version:s3:SHA-256
	tagPiece     = "faas-lambda:record:"   // and two digits: base64 of the deflated JSON of document
	tagReplicas  = "faas-lambda:replicas"  //
	tagPending   = "faas-lambda:pending"   // what is not finished: pendingDeploy, pendingScale; empty: nothing
	tagAdopt     = "faas-lambda:adopt"     // put by others on functions of theirs

	pendingDeploy = "deploy"
	pendingScale  = "scale"

	maxTagValue = 256
	maxPieces   = 32       // leaves tags to annotations and the account's owner
	firstPieces = 45       // of records of version 1
	maxJSON     = 16 << 20 // of a document, inflated: what is larger was not written by us
)

// document is what is known of a function beside its Lambda configuration: what
// was deployed, and what was deployed before.
type document struct {
	Service   string    `json:"-"` // in a tag of its own
	Namespace string    `json:"-"` // in a tag of its own
	Created   time.Time `json:"created"`
	Current   string    `json:"current"` // digest of the record that serves; empty before the first does
	Records   []record  `json:"records"` // the latest first

	// first tells that the tags hold a record of version 1, of which there was
	// one, and whose function has no published version. Replicas is its.
	first    bool
	Replicas uint64 `json:"replicas,omitempty"`
}

// record is one deployment.
type record struct {
	Digest string `json:"digest"` // as in the description of its version
	// Deployed is the deployment without what lies elsewhere: Service and
	// Namespace in tags, EnvVars and EnvProcess in the version's environment.
	Deployed types.FunctionDeployment `json:"deployed"`
	At       time.Time                `json:"at"`
	Served   bool                     `json:"served,omitempty"` // it serves, or did
	// Package and Reason are the type of its package and why the provider chose
	// it; empty when it did not, or chose a zip.
	Package string   `json:"package,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Added   []string `json:"added,omitempty"` // names of variables that the provider added, because an annotation needs them
	// Managed is its role, where that is the provider's; nil for another.
	Managed *managedRole `json:"managed,omitempty"`
}

var errRecord = errors.New("record in the function's tags is damaged")

func newRecord(d types.FunctionDeployment, digest string, at time.Time) record {
	r := record{Digest: digest, Deployed: d, At: at.UTC().Truncate(time.Second)}
	r.Deployed.Service, r.Deployed.Namespace, r.Deployed.EnvVars, r.Deployed.EnvProcess = "", "", nil, ""
	return r
}

// record returns the deployment of that digest.
func (d document) record(digest string) (record, error) {
	for _, r := range d.Records {
		if r.Digest == digest {
			return r, nil
		}
	}
	return record{}, fmt.Errorf("%w: it has no deployment %q", errRecord, digest)
}

// current returns the record that serves, or that of a function's first
// deployment while it is under way.
func (d document) current() (record, error) {
	if d.Current == "" && len(d.Records) > 0 {
		return d.Records[0], nil
	}
	return d.record(d.Current)
}

// with returns d with r as its latest deployment, and of those before it the one
// that serves and, beside it, the latest keep-1.
func (d document) with(r record, keep int) document {
	kept, others := []record{r}, 0
	for _, old := range d.Records {
		switch {
		case old.Digest == r.Digest:
			kept[0].Served = old.Served
		case old.Digest == d.Current:
			kept = append(kept, old)
		case others < keep-1:
			kept = append(kept, old)
			others++
		}
	}
	d.Records = kept
	return d
}

// serving returns d with the deployment of digest as what serves, and without
// the one to be given up, unless that served before.
func (d document) serving(digest, giveUp string) document {
	d.Current = digest
	d.Records = slices.DeleteFunc(slices.Clone(d.Records), func(r record) bool { return r.Digest != digest && r.Digest == giveUp && !r.Served })
	for i := range d.Records {
		d.Records[i].Served = d.Records[i].Served || d.Records[i].Digest == digest
	}
	return d
}

// pack returns the document as base64 of deflated JSON. The same document gives
// the same text.
func (d document) pack() (string, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode record: %w", err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("encode record: %w", err)
	}
	return base64.RawStdEncoding.EncodeToString(packed.Bytes()), nil
}

// inflate is the reverse of pack, up to the JSON.
func inflate(text string) ([]byte, error) {
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxJSON))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	return plain, nil
}

// unpack is the reverse of pack.
func unpack(text string) (document, error) {
	plain, err := inflate(text)
	if err != nil {
		return document{}, err
	}
	var d document
	if err := json.Unmarshal(plain, &d); err != nil {
		return document{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return d, nil
}

// unpackFirst reads a record of version 1.
func unpackFirst(text string) (document, error) {
	plain, err := inflate(text)
	if err != nil {
		return document{}, err
	}
	var old struct {
		Deployed types.FunctionDeployment `json:"deployed"`
		Created  time.Time                `json:"created"`
		Replicas uint64                   `json:"replicas"`
	}
	if err := json.Unmarshal(plain, &old); err != nil {
		return document{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return document{Created: old.Created, Replicas: old.Replicas, Records: []record{{Deployed: old.Deployed, At: old.Created}}, first: true}, nil
}

// fits tells whether a packed document has room in tags.
func fits(text string) bool { return len(text) <= maxPieces*maxTagValue }

// names are the tags that say whose function it is.
func (d document) names() map[string]string {
	return map[string]string{tagService: d.Service, tagNamespace: d.Namespace}
}

// inTags returns the tags of a document whose packed form fits.
func (d document) inTags(text string) map[string]string {
	tags := d.names()
	pieces := 0
	for rest := text; rest != ""; pieces++ {
		n := min(len(rest), maxTagValue)
		tags[piece(pieces)] = rest[:n]
		rest = rest[n:]
	}
	tags[tagRecord] = fmt.Sprintf("2:%d:%08x", pieces, crc32.ChecksumIEEE([]byte(text)))
	return tags
}

func piece(i int) string { return fmt.Sprintf("%s%02d", tagPiece, i) }

// ours tells whether tags are those of a function that this program made.
func ours(tags map[string]string) bool { return tags[tagService] != "" }

// inS3 tells whether the document lies in S3, and under which hash.
func inS3(tags map[string]string) (hash string, ok bool) {
	return strings.CutPrefix(tags[tagRecord], "2:s3:")
}

// fromTags is the reverse of inTags. Other tags are ignored.
func fromTags(tags map[string]string) (document, error) {
	version, rest, _ := strings.Cut(tags[tagRecord], ":")
	count, sum, _ := strings.Cut(rest, ":")
	pieces, err := strconv.Atoi(count)
	if version != "1" && version != "2" || err != nil || pieces < 0 || pieces > firstPieces {
		return document{}, fmt.Errorf("%w: tag %s is %q", errRecord, tagRecord, tags[tagRecord])
	}
	var text strings.Builder
	for i := range pieces {
		text.WriteString(tags[piece(i)])
	}
	if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text.String()))); got != sum {
		return document{}, fmt.Errorf("%w: its pieces do not match their checksum", errRecord)
	}
	if version == "1" {
		return unpackFirst(text.String())
	}
	return unpack(text.String())
}
