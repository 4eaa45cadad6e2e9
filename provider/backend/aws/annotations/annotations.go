// Package annotations reads what a deployment says about Lambda: the annotations
// com.openfaas.lambda/…, which docs/annotations.md lists. It checks what can be
// checked without AWS, and says of what AWS refuses which of them is to blame. It
// calls nothing.
package annotations

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/trigger"
)

// Prefix is what all annotations begin with that this package reads, but those of
// the cron-connector.
const Prefix = trigger.AnnotationPrefix

// ManagedRole in the place of a role's ARN means a role of each function's own,
// which the provider makes and keeps.
const ManagedRole = "managed"

// Settings are what the annotations of a deployment say about Lambda. The zero
// value is what a deployment without any means.
type Settings struct {
	PackageType             string // zip, layers, image or auto; empty for the provider's choice
	KeepAll                 bool   // of the image
	Rollback                string // id of an earlier deployment, or Previous
	RuntimeUpdates          string // a mode, or the ARN of a runtime's version
	Role                    string // ARN or ManagedRole; empty for the account's
	Subnets, SecurityGroups []string
	DualStack               bool
	Storage                 int32 // MB of /tmp; 0 for Lambda's own
	Tracing                 bool
	Layers                  []string
	LogFormat               string
	LogGroup                string
	Retention               int32 // days, or Forever; 0 leaves the log group alone
	DeadLetter              string
	SnapStart               bool
	KMSKey                  string
	FileSystems             []FileSystem
	Provisioned             *int32
	Reserved                *int32 // negative: none
	OnSuccess               string
	OnFailure               string
	Retries                 *int32
	MaxAge                  *int32 // seconds
	KeepVersions            int    // published versions; 0 for the default
	Tags                    map[string]string
	Triggers                []trigger.Trigger
}

// FileSystem is an access point of EFS and where the function sees it.
type FileSystem struct{ ARN, Path string }

// cronTopic is the value of the annotation `topic` that the cron-connector looks
// for, next to `schedule`.
const cronTopic = "cron-function"

// Read returns what the annotations of d say. An error is backend.ErrInvalid, and
// names the annotation and its value, and for a name that does not exist the
// nearest.
func Read(d types.FunctionDeployment) (Settings, error) {
	var x Settings
	if d.Annotations == nil {
		return x, nil
	}
	all := *d.Annotations
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, ours := strings.CutPrefix(name, Prefix)
		if !ours {
			continue
		}
		if slices.Contains(toldAnnotations, key) {
			continue
		}
		i := slices.IndexFunc(table, func(a row) bool { return a.key == key })
		if i < 0 {
			return x, backend.Errorf(backend.ErrInvalid, "annotation %s is not known: did you mean %s%s?", name, Prefix, nearest(key))
		}
		value := strings.TrimSpace(all[name])
		if err := table[i].read(value, &x); err != nil {
			return x, backend.Errorf(backend.ErrInvalid, "annotation %s=%q: %w: want %s", name, value, err, table[i].value)
		}
	}
	if slices.Contains(notation.List(all["topic"]), cronTopic) {
		t, err := trigger.Cron(all["schedule"])
		if err != nil {
			return x, backend.Errorf(backend.ErrInvalid, "annotation schedule=%q: %w", all["schedule"], err)
		}
		x.Triggers = append(x.Triggers, t)
	}
	return x, x.check()
}

// check refuses what Lambda does not take together.
func (x Settings) check() error {
	bad := func(key, format string, args ...any) error {
		return backend.Errorf(backend.ErrInvalid, "annotation %s%s: %s", Prefix, key, fmt.Sprintf(format, args...))
	}
	switch {
	case len(x.Subnets) > 0 && len(x.SecurityGroups) == 0:
		return bad("vpc-subnets", "vpc-security-groups is missing")
	case len(x.SecurityGroups) > 0 && len(x.Subnets) == 0:
		return bad("vpc-security-groups", "vpc-subnets is missing")
	case len(x.FileSystems) > 0 && len(x.Subnets) == 0:
		return bad("file-system", "a file system needs vpc-subnets and vpc-security-groups")
	case x.SnapStart && x.Provisioned != nil && *x.Provisioned > 0:
		return bad("snapstart", "Lambda offers no provisioned concurrency with it")
	case x.SnapStart && len(x.FileSystems) > 0:
		return bad("snapstart", "Lambda offers no file system with it")
	case x.SnapStart && x.Storage > MinStorage:
		return bad("snapstart", "Lambda offers no more than %d MB of ephemeral storage with it", MinStorage)
	case x.Reserved != nil && x.Provisioned != nil && *x.Reserved >= 0 && *x.Provisioned > *x.Reserved:
		return bad("provisioned-concurrency", "%d is more than the %d of reserved-concurrency", *x.Provisioned, *x.Reserved)
	}
	return nil
}
