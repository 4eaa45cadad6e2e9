package aws

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// FreshLayer is how long a Lambda layer is kept although nothing uses it: a
// deployment publishes it some time before a function has it.
const FreshLayer = time.Hour

// LayerVersion is a version of a Lambda layer that this program made.
type LayerVersion struct {
	ARN         string    `json:"arn"`
	Description string    `json:"description"`
	Created     time.Time `json:"created"`
	Fresh       bool      `json:"fresh,omitempty"` // too young to be removed
	Removed     bool      `json:"removed,omitempty"`

	layer  string
	number int64
}

// CollectLayers returns the versions of Lambda layers that were made by this
// program, for functions of a namespace, and that no version of any function
// uses, and removes them when remove is set. Those younger than fresh are
// returned and stay. Functions that are not ours count as users too.
func (b *Backend) CollectLayers(ctx context.Context, namespace string, fresh time.Duration, remove bool) ([]LayerVersion, error) {
	a, err := b.accountOf(ctx, namespace)
	if err != nil {
		return nil, err
	}
	made, err := a.layersMade(ctx)
	if err != nil || len(made) == 0 {
		return nil, err
	}
	// The functions are listed after the layers: what is used by then is seen.
	used, err := a.layersUsed(ctx)
	if err != nil {
		return nil, err
	}
	made = slices.DeleteFunc(made, func(v LayerVersion) bool { return used[v.ARN] })
	var errs []error
	for i := range made {
		v := &made[i]
		if v.Fresh = time.Since(v.Created) < fresh; v.Fresh || !remove {
			continue
		}
		_, err := a.lambda.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: &v.layer, VersionNumber: &v.number})
		if err != nil {
			errs = append(errs, awserr.Wrap("remove layer version "+v.ARN, err))
			continue
		}
		v.Removed = true
	}
	return made, errors.Join(errs...)
}

// layersMade returns all versions of layers with our names.
func (a *account) layersMade(ctx context.Context) ([]LayerVersion, error) {
	var made []LayerVersion
	names := lambda.NewListLayersPaginator(a.lambda, &lambda.ListLayersInput{})
	for names.HasMorePages() {
		page, err := names.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap("list layers", err)
		}
		for _, layer := range page.Layers {
			name := aws.ToString(layer.LayerName)
			if !strings.HasPrefix(name, layerPrefix) {
				continue
			}
			versions, err := a.versionsOfLayer(ctx, name)
			if err != nil {
				return nil, err
			}
			made = append(made, versions...)
		}
	}
	slices.SortFunc(made, func(a, b LayerVersion) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ARN, b.ARN)) })
	return made, nil
}

func (a *account) versionsOfLayer(ctx context.Context, name string) ([]LayerVersion, error) {
	var list []LayerVersion
	pages := lambda.NewListLayerVersionsPaginator(a.lambda, &lambda.ListLayerVersionsInput{LayerName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap("list versions of layer "+name, err)
		}
		for _, v := range page.LayerVersions {
			created, err := time.Parse(lastModified, aws.ToString(v.CreatedDate))
			if err != nil || !strings.HasPrefix(aws.ToString(v.Description), "sha256:") {
				continue // not as we make them: left alone
			}
			list = append(list, LayerVersion{
				ARN: aws.ToString(v.LayerVersionArn), Description: aws.ToString(v.Description), Created: created, layer: name, number: v.Version,
			})
		}
	}
	return list, nil
}

// layersUsed returns the layer versions of every version of every function.
func (a *account) layersUsed(ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	pages := lambda.NewListFunctionsPaginator(a.lambda, &lambda.ListFunctionsInput{FunctionVersion: lambdatypes.FunctionVersionAll})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap("list functions", err)
		}
		for _, f := range page.Functions {
			for _, layer := range f.Layers {
				used[aws.ToString(layer.Arn)] = true
			}
		}
	}
	return used, nil
}
