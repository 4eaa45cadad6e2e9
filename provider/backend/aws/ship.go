package aws

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
	"github.com/faas-lambda/faas-lambda/provider/packaging"
)

// Zips that Lambda took from S3 are copied by it. They stay a while, for other
// functions of the same image and for deployments that are repeated.
const (
	codePrefix = "faas-lambda/code/"
	codeDays   = 7
	codeFresh  = (codeDays - 1) * 24 * time.Hour // an older one is written anew before it goes
)

// code is a package as Lambda takes it.
type code struct {
	zip                       []byte
	s3Bucket, s3Key, imageURI string
	layers                    []string // ARNs
	runtime, handler, sha256  string   // sha256 as Lambda's CodeSha256
	packageType               lambdatypes.PackageType
}

// ship uploads what must lie in AWS before a function is made of it.
func (b *Backend) ship(ctx context.Context, p plan, spec packaging.Spec, pkg packaging.Package) (code, error) {
	if pkg.Type == packaging.Image {
		uri, digest, err := b.shipImage(ctx, p.account, spec, pkg)
		return code{imageURI: uri, sha256: strings.TrimPrefix(digest, "sha256:"), packageType: lambdatypes.PackageTypeImage}, err
	}
	c := code{sha256: pkg.Summary.SHA256, runtime: pkg.Runtime, handler: pkg.Handler, packageType: lambdatypes.PackageTypeZip}
	var err error
	if c.layers, err = b.shipLayers(ctx, p, pkg); err != nil {
		return code{}, err
	}
	if pkg.Summary.Zipped <= packaging.MaxDirect {
		c.zip, err = pkg.Content()
		return c, err
	}
	c.s3Bucket, c.s3Key, err = b.shipZip(ctx, p.account, pkg)
	if err != nil {
		return code{}, fmt.Errorf("upload package of %.1f MB, which Lambda takes from S3 only: %w", float64(pkg.Summary.Zipped)/1e6, err)
	}
	return c, nil
}

// shipZip puts a zip into the bucket, under its digest, unless it is there.
func (b *Backend) shipZip(ctx context.Context, a *account, pkg packaging.Package) (bucket, key string, err error) {
	sum, err := base64.StdEncoding.DecodeString(pkg.Summary.SHA256)
	if err != nil {
		return "", "", fmt.Errorf("read digest of package: %w", err)
	}
	if bucket, err = a.bucket(ctx); err != nil {
		return "", "", err
	}
	key = codePrefix + hex.EncodeToString(sum) + ".zip"
	there, err := a.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	switch {
	case err == nil && aws.ToInt64(there.ContentLength) == pkg.Summary.Zipped && time.Since(aws.ToTime(there.LastModified)) < codeFresh:
		return bucket, key, nil
	case err != nil && !awserr.Status(err, http.StatusNotFound) && !awserr.Status(err, http.StatusForbidden): // forbidden is every missing key, to those who may not list
		return "", "", storeError("find "+key+" in bucket "+bucket, bucket, err)
	}
	file, err := pkg.Open()
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b.rules.ensure(ctx, b, a, bucket)
	if _, err := transfermanager.New(a.s3).UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &bucket, Key: &key, Body: file}); err != nil {
		return "", "", storeError("store "+key+" in bucket "+bucket, bucket, err)
	}
	return bucket, key, nil
}
