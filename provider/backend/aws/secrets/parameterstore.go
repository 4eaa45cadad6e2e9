package secrets

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// parameterStore keeps secrets in Systems Manager's Parameter Store, as
// SecureStrings. They cost nothing up to 4 KB, and hold text alone.
type parameterStore struct{ client *ssm.Client }

// InParameterStore returns the store that Parameter Store is.
func InParameterStore(client *ssm.Client) Store { return &parameterStore{client} }

// maxParameter is the limit of an advanced parameter in bytes
// (docs.aws.amazon.com/systems-manager, "Managing parameter tiers").
const maxParameter = 8192

// path is the parameter's name.
func (parameterStore) path(k Key) string { return "/" + k.ID() }

func (s *parameterStore) Reference(k Key) string { return ParameterStore + ":" + s.path(k) }

// described returns the parameters that filters let through, by name.
func (s *parameterStore) described(ctx context.Context, doing string, filters ...ssmtypes.ParameterStringFilter) ([]ssmtypes.ParameterMetadata, error) {
	var all []ssmtypes.ParameterMetadata
	pages := ssm.NewDescribeParametersPaginator(s.client, &ssm.DescribeParametersInput{MaxResults: aws.Int32(50), ParameterFilters: filters})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap(doing, err)
		}
		all = append(all, page.Parameters...)
	}
	return all, nil
}

func equals(key, value string) ssmtypes.ParameterStringFilter {
	return ssmtypes.ParameterStringFilter{Key: aws.String(key), Option: aws.String("Equals"), Values: []string{value}}
}

func (s *parameterStore) Names(ctx context.Context, namespace string) ([]string, error) {
	folder := s.path(Key{namespace, ""})
	there, err := s.described(ctx, "list secrets of namespace "+namespace,
		ssmtypes.ParameterStringFilter{Key: aws.String("Path"), Option: aws.String("OneLevel"), Values: []string{strings.TrimSuffix(folder, "/")}},
		equals("tag:"+tagNamespace, namespace))
	var names []string
	for _, p := range there {
		if name, ok := strings.CutPrefix(aws.ToString(p.Name), folder); ok {
			names = append(names, name)
		}
	}
	return names, err
}

// find looks for a parameter with our tags.
func (s *parameterStore) Find(ctx context.Context, k Key) (kmsKey string, err error) {
	found, err := s.described(ctx, "find secret "+k.String(), equals("Name", s.path(k)), equals("tag:"+tagNamespace, k.Namespace), equals("tag:"+tagSecret, k.Name))
	if err == nil && len(found) == 0 {
		err = k.missing()
	}
	if err != nil {
		return "", err
	}
	if key := aws.ToString(found[0].KeyId); !strings.HasPrefix(key, "alias/aws/") {
		return key, nil
	}
	return "", nil
}

func (s *parameterStore) check(k Key, value []byte) error {
	switch {
	case !utf8.Valid(value):
		return backend.Errorf(backend.ErrInvalid, "secret %q is binary, and AWS Parameter Store keeps text: set secret_store=%s", k.Name, SecretsManager)
	case len(value) > maxParameter:
		return backend.Errorf(backend.ErrInvalid, "secret %q has %d bytes, more than the %d that AWS Parameter Store takes", k.Name, len(value), maxParameter)
	}
	return k.validate()
}

func (s *parameterStore) Create(ctx context.Context, k Key, value []byte) error {
	if err := s.check(k, value); err != nil {
		return err
	}
	var tags []ssmtypes.Tag
	for key, value := range k.tags() {
		tags = append(tags, ssmtypes.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	_, err := s.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(s.path(k)), Value: aws.String(string(value)), Type: ssmtypes.ParameterTypeSecureString, Tier: ssmtypes.ParameterTierIntelligentTiering,
		Tags: tags, Description: aws.String("Secret " + k.Name + " of OpenFaaS functions"),
	})
	doing := "create secret " + k.String()
	switch awserr.Code(err) {
	case "ParameterAlreadyExists":
		if _, findErr := s.Find(ctx, k); findErr == nil {
			return k.exists()
		}
		return k.foreign("parameter " + s.path(k) + " of AWS Parameter Store")
	case "ParameterLimitExceeded":
		return backend.As(backend.ErrInvalid, awserr.Wrap(doing, err))
	}
	return awserr.Wrap(doing, err)
}

func (s *parameterStore) Update(ctx context.Context, k Key, value []byte) error {
	if err := s.check(k, value); err != nil {
		return err
	}
	if _, err := s.Find(ctx, k); err != nil {
		return err
	}
	_, err := s.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(s.path(k)), Value: aws.String(string(value)), Type: ssmtypes.ParameterTypeSecureString, Tier: ssmtypes.ParameterTierIntelligentTiering,
		Overwrite: aws.Bool(true),
	})
	return awserr.Wrap("update secret "+k.String(), err)
}

func (s *parameterStore) Remove(ctx context.Context, k Key) error {
	if _, err := s.Find(ctx, k); err != nil {
		return err
	}
	_, err := s.client.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String(s.path(k))})
	if awserr.Code(err) == "ParameterNotFound" {
		return k.missing()
	}
	return awserr.Wrap("delete secret "+k.String(), err)
}
