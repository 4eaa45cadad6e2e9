package roles

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/clock"
)

// freshness is how often roles that were left are looked for, pause how soon where
// some are.
const (
	freshness = 5 * time.Minute
	pause     = 30 * time.Second
)

// Used tells that there are managed roles, so that those that are left are looked for.
func (k *Keeper) Used() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.some = true
}

// due tells whether it is time to look; if so, the next time is freshness later.
func (k *Keeper) due() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.some || time.Now().Before(k.until) {
		return false
	}
	k.until = time.Now().Add(freshness)
	return true
}

// again makes a list look again after some time.
func (k *Keeper) again(after time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Now().Add(after)
}

// Sweep hands over the names of roles that were left, if it is time to look for them:
// those that are not among the known and, by IAM's clock, not younger than young,
// whose functions may be about to be made. Where there are such, or one fails to be
// removed, the next call looks again after half a minute, otherwise after five; at
// once, when what is known cannot be told, which is no error. An error is that of
// IAM's list.
func (k *Keeper) Sweep(ctx context.Context, young time.Duration, known func(context.Context) (map[string]bool, error), remove func(id string) error) error {
	if !k.due() {
		return nil
	}
	kept, err := known(ctx)
	if err != nil {
		k.again(0)
		return nil
	}
	pages := iam.NewListRolesPaginator(k.client, &iam.ListRolesInput{PathPrefix: &k.path})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awserr.Wrap("list roles", err)
		}
		at := clock.At(page.ResultMetadata)
		for _, role := range page.Roles {
			switch id := aws.ToString(role.RoleName); {
			case kept[id]:
			case young > 0 && at.Sub(aws.ToTime(role.CreateDate)) < young, remove(id) != nil:
				k.again(pause)
			}
		}
	}
	return nil
}

// Owner is the function that a role was made for.
type Owner struct {
	Name     backend.Name
	Function string // its name in Lambda
}

// Owner returns whose role one is, by its tags; false when there is no such role.
func (k *Keeper) Owner(ctx context.Context, id string) (Owner, bool, error) {
	out, err := k.client.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: &id})
	if isGone(err) {
		return Owner{}, false, nil
	}
	if err != nil {
		return Owner{}, false, awserr.Wrap("read tags of role "+id, err)
	}
	tags := tagsOf(out.Tags)
	return Owner{backend.Name{Namespace: tags[tagNamespace], Function: tags[tagService]}, tags[tagFunction]}, true, nil
}
