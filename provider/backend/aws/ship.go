package aws

import (
	"context"

	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
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
func (b *Backend) ship(_ context.Context, _ plan, pkg Package) (code, error) {
	zip, err := pkg.zip()
	return code{zip: zip, sha256: pkg.Summary.SHA256, packageType: lambdatypes.PackageTypeZip}, err
}
