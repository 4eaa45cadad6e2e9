package aws

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// A function's description says which deployment its configuration is of, and
// which change wrote it. Writing it is how a change claims a function: Lambda
// takes it only under the revision that was read, so that of two one wins.
//
// A function at rest has in $LATEST the configuration of the version that
// serves, its description included. So one call, ListFunctions, shows both what
// serves and which functions a change left unfinished.

// mark is what a description says.
type mark struct {
	digest string // of the deployment; deleting; empty when the description is not ours
	token  string // of the change
}

// deleting as the digest of a mark is a function that is being deleted.
const deleting = "deleted"

var markPattern = regexp.MustCompile(`^faas-lambda ([0-9a-f]{16}|` + deleting + `) ([0-9a-f]{8})(?: |$)`)

func markOf(config lambdatypes.FunctionConfiguration) mark {
	return parseMark(aws.ToString(config.Description))
}

func parseMark(description string) mark {
	m := markPattern.FindStringSubmatch(description)
	if m == nil {
		return mark{}
	}
	return mark{digest: m[1], token: m[2]}
}

// maxDescription is Lambda's limit in characters (CreateFunction, Description).
const maxDescription = 256

// description is the reverse of parseMark. The image is for people.
func (m mark) description(image string) *string {
	text := fmt.Sprintf("faas-lambda %s %s %s", m.digest, m.token, image)
	return aws.String(text[:min(len(text), maxDescription)])
}

// newToken names one change.
func newToken() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// state is what a function has to do with a change.
type state int

const (
	settled     state = iota
	creating          // its first deployment is not finished
	replacing         // a deployment of it is not finished
	scaling           // its concurrency is not what it should be
	removing          // it is being deleted
	unpublished       // it was made before functions had versions, and serves as it is
)

func (f *found) state() state {
	m := markOf(f.config)
	switch {
	case f.adopted, f.damaged != nil:
		return settled
	case m.digest == deleting:
		return removing
	case f.doc.first:
		return unpublished
	case f.doc.Current == "":
		return creating
	case f.tags[tagPending] == pendingScale:
		return scaling
	case f.tags[tagPending] != "", m.digest != "" && m.digest != f.doc.Current:
		return replacing
	}
	return settled
}

// changing tells whether Lambda itself is busy with the function.
func (f *found) changing() bool {
	return f.config.LastUpdateStatus == lambdatypes.LastUpdateStatusInProgress || f.config.State == lambdatypes.StatePending
}

// lastModified is Lambda's form of a time.
const lastModified = "2006-01-02T15:04:05.000-0700"

// abandoned tells whether a change that is not finished has been left alone for
// so long that whoever made it must be gone. Both times are AWS's: clocks of
// providers have no part in it.
func (b *Backend) abandoned(f *found) bool {
	if b.opts.TakeOver < 0 {
		return true
	}
	changed, err := time.Parse(lastModified, aws.ToString(f.config.LastModified))
	return err != nil || f.at.Sub(changed) >= b.opts.TakeOver
}
