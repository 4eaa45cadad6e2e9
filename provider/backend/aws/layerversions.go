package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// Lambda layers that this program makes are named by the digest of their zip, and
// described by it too: whoever needs one finds it by listing, whoever made it.
const (
	layerPrefix = "faas-lambda-shared-"
	layerDigest = 40 // hexadecimal digits of a name; the description has all of them
)

// layerNames returns what a Lambda layer is called, and how its description begins.
func layerNames(l packaging.Layer) (name, description string, err error) {
	digest, err := l.Digest()
	if err != nil {
		return "", "", err
	}
	return layerPrefix + digest[:layerDigest], "sha256:" + digest, nil
}

// shipLayers makes sure that the Lambda layers of a package are there and returns
// the ARNs of their versions.
func (b *Backend) shipLayers(ctx context.Context, p plan, pkg packaging.Package) ([]string, error) {
	arns := make([]string, len(pkg.Parts))
	for i, part := range pkg.Parts {
		name, description, err := layerNames(part)
		if err != nil {
			return nil, err
		}
		if arns[i], err = p.account.findLayer(ctx, name, description); err != nil {
			return nil, err
		}
		if arns[i] == "" {
			if arns[i], err = b.publishLayer(ctx, p, part, name, description); err != nil {
				return nil, err
			}
		}
	}
	return arns, nil
}

// findLayer returns the latest version of a Lambda layer that has this digest,
// empty when there is none.
func (a *account) findLayer(ctx context.Context, name, description string) (string, error) {
	pages := lambda.NewListLayerVersionsPaginator(a.lambda, &lambda.ListLayerVersionsInput{LayerName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awserr.Code(err) == "ResourceNotFoundException" {
			return "", nil
		}
		if err != nil {
			return "", awserr.Wrap("find layer "+name, err)
		}
		for _, v := range page.LayerVersions {
			if text := aws.ToString(v.Description); text == description || strings.HasPrefix(text, description+" ") {
				return aws.ToString(v.LayerVersionArn), nil
			}
		}
	}
	return "", nil
}

// publishLayer uploads a Lambda layer: in the request, or through S3 when it is
// too large for that.
func (b *Backend) publishLayer(ctx context.Context, p plan, part packaging.Layer, name, description string) (string, error) {
	zip := packaging.Package{Path: part.Path, Summary: part.Summary}
	content := &lambdatypes.LayerVersionContentInput{}
	var err error
	if part.Summary.Zipped <= packaging.MaxDirect {
		content.ZipFile, err = zip.Content()
	} else {
		var bucket, key string
		bucket, key, err = b.shipZip(ctx, p.account, zip)
		content.S3Bucket, content.S3Key = &bucket, &key
	}
	if err != nil {
		return "", fmt.Errorf("upload layer %s of %.1f MB: %w", name, float64(part.Summary.Zipped)/1e6, err)
	}
	text := description + " " + part.Of
	out, err := p.account.lambda.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
		LayerName: &name, Content: content, Description: aws.String(text[:min(len(text), 256)]),
		CompatibleArchitectures: architectures(p.arch), CompatibleRuntimes: []lambdatypes.Runtime{lambdatypes.RuntimeProvidedal2023},
	})
	if err != nil {
		return "", awserr.Wrap("publish layer "+name, err)
	}
	if out.LayerVersionArn == nil {
		return "", errors.New("publish layer " + name + ": AWS answered without its ARN")
	}
	return *out.LayerVersionArn, nil
}
