package roles

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// listed is an IAM that lists roles, by name and age.
type listed struct {
	roles map[string]time.Duration
	asked int
}

// Do implements aws.HTTPClient.
func (l *listed) Do(r *http.Request) (*http.Response, error) {
	l.asked++
	var b strings.Builder
	b.WriteString("<ListRolesResponse><ListRolesResult><Roles>")
	for _, name := range slices.Sorted(maps.Keys(l.roles)) {
		b.WriteString("<member><RoleName>" + name + "</RoleName><CreateDate>" + time.Now().Add(-l.roles[name]).UTC().Format(time.RFC3339) + "</CreateDate></member>")
	}
	b.WriteString("</Roles></ListRolesResult></ListRolesResponse>")
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(b.String())), Request: r}, nil
}

func TestRolesThatWereLeftAreLookedFor(t *testing.T) {
	const young = 2 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		cloud := &listed{roles: map[string]time.Duration{"kept": time.Hour, "left": time.Hour, "new": time.Minute}}
		k := New(iam.New(iam.Options{Region: "eu-west-1", HTTPClient: cloud, Credentials: credentials.NewStaticCredentialsProvider("a", "s", "")}), "eu-west-1", "/faas-lambda/", "")
		var wrong, fails error
		step := func(name string, after time.Duration, want ...string) {
			t.Helper()
			time.Sleep(after) // by the bubble's clock
			var got []string
			known := func(context.Context) (map[string]bool, error) { return map[string]bool{"kept": true}, wrong }
			err := k.Sweep(t.Context(), young, known, func(id string) error {
				got = append(got, id)
				if fails == nil {
					delete(cloud.roles, id)
				}
				return fails
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v, want %v", name, got, err, want)
			}
		}
		step("none is known of", 0)
		if cloud.asked != 0 {
			t.Error("IAM was asked though no role is managed")
		}
		k.Used()
		wrong = errors.New("no list of functions")
		step("functions cannot be told", 0)
		wrong = nil
		step("at once again", 0, "left")
		delete(cloud.roles, "new")
		cloud.roles["other"] = time.Hour
		step("soon", pause-time.Second)
		fails = errors.New("no permission")
		step("after a pause, since one was young", time.Second, "other")
		fails = nil
		step("after a pause, since one could not be removed", pause, "other")
		cloud.roles["third"] = time.Hour
		step("none was left", freshness-time.Second)
		step("later", time.Second, "third")
	})
}
