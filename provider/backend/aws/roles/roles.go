// Package roles keeps managed roles: one of each function's own in IAM, whose policy
// allows what the function needs. It knows neither deployments nor records: which of
// them a role is for, and when, is the backend's.
package roles

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// maxName is IAM's (docs.aws.amazon.com/IAM, "IAM and AWS STS quotas").
const maxName = 64

// Keeper keeps the managed roles of an account and region. It may be used
// concurrently.
type Keeper struct {
	client       *iam.Client
	region, path string
	boundary     string

	mu    sync.Mutex // guards what follows
	some  bool       // there are some, as far as is known
	until time.Time  // when to look for those that were left
}

// New returns the keeper of a region's roles, which are under path, and under the
// region there. boundary is what bounds them: name or ARN of a policy, or empty for
// nothing.
func New(client *iam.Client, region, path, boundary string) *Keeper {
	return &Keeper{client: client, region: region, path: path + region + "/", boundary: boundary}
}

// Path is where the roles are in IAM.
func (k *Keeper) Path() string { return k.path }

// ID is what the managed role of a function is called. Names are those of the whole
// account, in all regions and paths, and do not differ by case alone
// (docs.aws.amazon.com/IAM, "IAM identifiers").
func (k *Keeper) ID(name backend.Name) string {
	long := name.Function + "." + name.Namespace + "." + k.region
	if len(long) <= maxName && strings.ToLower(long) == long {
		return long
	}
	sum := sha256.Sum256([]byte(long))
	hash := "." + hex.EncodeToString(sum[:8])
	return long[:min(len(long), maxName-len(hash))] + hash
}

// Is tells whether an ARN is that of a function's managed role, of any account.
func (k *Keeper) Is(arn string, name backend.Name) bool {
	return strings.HasSuffix(arn, ":role"+k.path+k.ID(name))
}
