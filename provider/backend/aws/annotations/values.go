package annotations

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// MinStorage, which is what it has by default, and maxStorage are the MB that /tmp may have
// (docs.aws.amazon.com/lambda, "Configure ephemeral storage").
const (
	MinStorage = 512
	maxStorage = 10240
)

var (
	roleARN        = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[a-zA-Z0-9+=,.@_/-]+$`)
	layerARN       = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9-_]+:[0-9]+$`)
	accessPoint    = regexp.MustCompile(`^(arn:aws[a-z-]*:elasticfilesystem:[a-z0-9-]+:[0-9]{12}:access-point/fsap-[a-f0-9]{8,40}):(/mnt/[a-zA-Z0-9-_.]+)$`)
	logGroupName   = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	tagText        = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	runtimeARN     = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+::runtime:[a-z0-9]+$`)
	rollbackTarget = regexp.MustCompile(`^(?:` + Previous + `|[0-9a-f]{16})$`)
	hexID          = regexp.MustCompile(`^[0-9a-z]{8,40}$`)
)

// retentions are the days that PutRetentionPolicy takes (CloudWatch Logs API
// reference).
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// Forever as a Retention means that lines do not expire.
const Forever = -1

func oneOf(value string, to *string, choices ...string) error {
	if !slices.Contains(choices, value) {
		return errors.New("not one of them")
	}
	*to = value
	return nil
}

func boolean(value string, to *bool) error {
	switch value {
	case "true":
		*to = true
	case "false":
		*to = false
	default:
		return errors.New("neither of them")
	}
	return nil
}

func match(value string, to *string, pattern *regexp.Regexp, what string) error {
	if !pattern.MatchString(value) {
		return fmt.Errorf("not %s", what)
	}
	*to = value
	return nil
}

func number(value string, to **int32, low, high int64) error {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return errors.New("not a number")
	}
	if n < low || n > high {
		return errors.New("out of range")
	}
	of := int32(n)
	*to = &of
	return nil
}

// arnOf reads an ARN of one of the services.
func arnOf(value string, to *string, services ...string) error {
	if err := notation.ARN(value, services...); err != nil {
		return err
	}
	*to = value
	return nil
}

// RoleARN says what is wrong with the ARN of a role (Lambda API, CreateFunction,
// Role).
func RoleARN(value string) error {
	if err := notation.ARN(value, "iam"); err != nil {
		return err
	}
	if !roleARN.MatchString(value) {
		return errors.New("an ARN of something else")
	}
	return nil
}

func ids(value string, to *[]string, prefix string, most int) error {
	all := notation.List(value)
	if len(all) == 0 || len(all) > most {
		return fmt.Errorf("%d ids, not 1 to %d", len(all), most)
	}
	for _, id := range all {
		if rest, ok := strings.CutPrefix(id, prefix); !ok || !hexID.MatchString(rest) {
			return fmt.Errorf("%q is no id that begins with %s", id, prefix)
		}
	}
	slices.Sort(all)
	*to = slices.Compact(all)
	return nil
}

// Role says what is wrong with what functions are to run as: the ARN of a role, or
// ManagedRole.
func Role(value string) error {
	if value == ManagedRole {
		return nil
	}
	return RoleARN(value)
}

func readRole(value string, x *Settings) error {
	x.Role = value
	return Role(value)
}

func readStorage(value string, x *Settings) error {
	n, err := notation.WholeMegabytes(value)
	if err != nil {
		return err
	}
	if n < MinStorage || n > maxStorage {
		return errors.New("out of range")
	}
	x.Storage = int32(n)
	return nil
}

func readTracing(value string, x *Settings) error {
	var mode string
	if err := oneOf(value, &mode, "Active", "PassThrough"); err != nil {
		return err
	}
	x.Tracing = mode == "Active"
	return nil
}

func readLayers(value string, x *Settings) error {
	all := notation.List(value)
	if len(all) == 0 || len(all) > packaging.MaxLayers {
		return fmt.Errorf("%d layers", len(all))
	}
	for _, arn := range all {
		if !layerARN.MatchString(arn) {
			return fmt.Errorf("%q is no ARN of a layer's version", arn)
		}
	}
	x.Layers = all
	return nil
}

func readRetention(value string, x *Settings) error {
	if value == "never" {
		x.Retention = Forever
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || !slices.Contains(retentions, int32(n)) {
		return fmt.Errorf("not one of %s", strings.Trim(fmt.Sprint(retentions), "[]"))
	}
	x.Retention = int32(n)
	return nil
}

func readMaxAge(value string, x *Settings) error {
	d, err := notation.Duration(value)
	if err != nil {
		return errors.New("not a duration")
	}
	if d < time.Minute || d > 6*time.Hour {
		return errors.New("out of range")
	}
	seconds := int32(d.Seconds())
	x.MaxAge = &seconds
	return nil
}

func readFileSystem(value string, x *Settings) error {
	m := accessPoint.FindStringSubmatch(value)
	if m == nil {
		return errors.New("not an access point with a path")
	}
	x.FileSystems = []FileSystem{{ARN: m[1], Path: m[2]}}
	return nil
}

func readReserved(value string, x *Settings) error {
	if value == "none" {
		none := int32(-1)
		x.Reserved = &none
		return nil
	}
	return number(value, &x.Reserved, 0, 1<<20)
}

func readKeep(value string, x *Settings) error {
	var n *int32
	if err := number(value, &n, 1, 20); err != nil {
		return err
	}
	x.KeepVersions = int(*n)
	return nil
}

// Previous as a Rollback is the deployment that served before.
const Previous = "previous"

// IsRollback tells whether text is what Settings.Rollback may be.
func IsRollback(text string) bool { return rollbackTarget.MatchString(text) }

func readRuntimeUpdates(value string, x *Settings) error {
	if value != "Auto" && value != "FunctionUpdate" && !runtimeARN.MatchString(value) {
		return errors.New("none of them")
	}
	x.RuntimeUpdates = value
	return nil
}

// maxUserTags leaves room for those that hold the record, and for the account's
// owner.
const maxUserTags = 10

func readTags(value string, x *Settings) error {
	x.Tags = map[string]string{}
	for _, pair := range notation.List(value) {
		key, v, ok := strings.Cut(pair, "=")
		switch {
		case !ok || key == "" || len(key) > 128 || len(v) > 256 || !tagText.MatchString(key) || !tagText.MatchString(v):
			return fmt.Errorf("%q is no KEY=VALUE that AWS takes", pair)
		case strings.HasPrefix(strings.ToLower(key), "aws:"), strings.HasPrefix(key, "faas-lambda:"):
			return fmt.Errorf("the key %q is not free", key)
		}
		x.Tags[key] = v
	}
	if n := len(x.Tags); n == 0 || n > maxUserTags {
		return fmt.Errorf("%d tags, not 1 to %d", n, maxUserTags)
	}
	return nil
}
