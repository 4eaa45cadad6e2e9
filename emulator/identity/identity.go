// Package identity answers for AWS's Security Token Service: who a caller is,
// and credentials for roles. Signatures are not verified and every role may be
// assumed; what is true to AWS is whose account a call is made in.
package identity

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// Namespace of STS's XML answers.
const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// Credentials of a role are valid for an hour unless the caller asks otherwise,
// between 15 minutes and twelve hours.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	defaultDuration = 3600
	minDuration     = 900
	maxDuration     = 43200
)

var (
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/(?:[\w+=,.@/-]+/)?([\w+=,.@-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// User is who calls whose credentials come from no role.
const User = "local"

// sessions are who the access keys of roles belong to. They are forgotten with
// the program; what their keys tell then is the account.
type sessions struct {
	mu  sync.Mutex // guards all
	all map[string]roleUser
}

func (s *sessions) add(out assumed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[out.Credentials.AccessKeyId] = out.AssumedRoleUser
}

// New returns STS of an account: callers whose credentials come from no role
// are its user "local".
func New(account string) http.Handler {
	known := &sessions{all: map[string]roleUser{}}
	begin := func(in *assumeRole) (assumed, error) {
		out, err := assume(*in)
		if err == nil {
			known.add(out)
		}
		return out, err
	}
	s := wire.NewService(namespace)
	wire.Handle(s, "GetCallerIdentity", func(ctx context.Context, _ *struct{}) (callerIdentity, error) {
		return known.identify(wire.From(ctx).AccessKey, account), nil
	})
	wire.Handle(s, "AssumeRole", func(_ context.Context, in *assumeRole) (assumed, error) { return begin(in) })
	wire.Handle(s, "AssumeRoleWithWebIdentity", func(_ context.Context, in *assumeRole) (assumed, error) {
		if in.WebIdentityToken == "" {
			return assumed{}, wire.Refuse("InvalidIdentityToken", "The web identity token is empty.")
		}
		return begin(in)
	})
	return s
}

// Account returns the account that an access key belongs to: the one of the
// role that it was made for, else main.
func Account(accessKey, main string) string {
	if len(accessKey) == keyLength && strings.HasPrefix(accessKey, temporary) && strings.Trim(accessKey[4:16], "0123456789") == "" {
		return accessKey[4:16]
	}
	return main
}

// Access keys of roles are AWS's in length and prefix, and carry their account,
// so that it is known after a restart too.
const (
	temporary = "ASIA"
	keyLength = 20
)

type callerIdentity struct {
	Account string
	Arn     string
	UserId  string //nolint:revive // AWS's name of it
}

func (s *sessions) identify(accessKey, main string) callerIdentity {
	account := Account(accessKey, main)
	s.mu.Lock()
	role, ok := s.all[accessKey]
	s.mu.Unlock()
	if ok {
		return callerIdentity{account, role.Arn, role.AssumedRoleId}
	}
	if !strings.HasPrefix(accessKey, temporary) {
		return callerIdentity{account, "arn:aws:iam::" + account + ":user/" + User, "AIDALOCAL"}
	}
	return callerIdentity{account, "arn:aws:sts::" + account + ":assumed-role/role/session", "AROALOCAL:session"}
}

type assumeRole struct {
	RoleArn          string
	RoleSessionName  string
	DurationSeconds  int
	WebIdentityToken string
}

type assumed struct {
	Credentials     temporaryKeys
	AssumedRoleUser roleUser
}

type temporaryKeys struct {
	AccessKeyId     string //nolint:revive // AWS's name of it
	SecretAccessKey string
	SessionToken    string
	Expiration      wire.Time
}

type roleUser struct {
	Arn           string
	AssumedRoleId string //nolint:revive // AWS's name of it
}

func assume(in assumeRole) (assumed, error) {
	role := roleARN.FindStringSubmatch(in.RoleArn)
	switch {
	case role == nil:
		return assumed{}, wire.Refuse("ValidationError", "%s is invalid", in.RoleArn)
	case !sessionName.MatchString(in.RoleSessionName):
		return assumed{}, wire.Refuse("ValidationError", "1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", in.RoleSessionName)
	}
	seconds := in.DurationSeconds
	if seconds == 0 {
		seconds = defaultDuration
	}
	if seconds < minDuration || seconds > maxDuration {
		return assumed{}, wire.Refuse("ValidationError", "The requested DurationSeconds exceeds the bounds of %d and %d seconds.", minDuration, maxDuration)
	}
	account, name := role[1], role[2]
	return assumed{
		Credentials: temporaryKeys{
			AccessKeyId: temporary + account + random(4), SecretAccessKey: random(40), SessionToken: random(64),
			Expiration: wire.Time{Time: time.Now().Add(time.Duration(seconds) * time.Second).UTC()},
		},
		AssumedRoleUser: roleUser{
			Arn:           fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, name, in.RoleSessionName),
			AssumedRoleId: "AROA" + random(16) + ":" + in.RoleSessionName,
		},
	}, nil
}

// random returns n characters of the alphabet of access keys.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return base32.StdEncoding.EncodeToString(b)[:n]
}
