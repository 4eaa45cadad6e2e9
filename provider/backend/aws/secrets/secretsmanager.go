package secrets

import (
	"context"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// secretsManager keeps secrets in AWS Secrets Manager.
type secretsManager struct{ client *secretsmanager.Client }

// InSecretsManager returns the store that AWS Secrets Manager is.
func InSecretsManager(client *secretsmanager.Client) Store { return &secretsManager{client} }

// recoveryDays is how long a deleted secret can still be had back by hand: the
// least that AWS takes (DeleteSecret, RecoveryWindowInDays). Nothing is billed
// for it meanwhile, and the name can be used again at once: create restores it.
const recoveryDays = 7

// maxSecret is Secrets Manager's limit in bytes (docs.aws.amazon.com/secretsmanager,
// "AWS Secrets Manager quotas").
const maxSecret = 65536

func (*secretsManager) Reference(k Key) string { return SecretsManager + ":" + k.ID() }

func (s *secretsManager) Names(ctx context.Context, namespace string) ([]string, error) {
	var names []string
	pages := secretsmanager.NewListSecretsPaginator(s.client, &secretsmanager.ListSecretsInput{
		MaxResults: aws.Int32(100),
		// Both match prefixes; what they let through beside is left out below.
		Filters: []smtypes.Filter{
			{Key: smtypes.FilterNameStringTypeName, Values: []string{Prefix + namespace + "/"}},
			{Key: smtypes.FilterNameStringTypeTagKey, Values: []string{tagSecret}},
		},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserr.Wrap("list secrets of namespace "+namespace, err)
		}
		for _, entry := range page.SecretList {
			tags := secretTags(entry.Tags)
			key := Key{namespace, tags[tagSecret]}
			if entry.DeletedDate == nil && tags[tagNamespace] == namespace && aws.ToString(entry.Name) == key.ID() {
				names = append(names, key.Name)
			}
		}
	}
	return names, nil
}

func secretTags(list []smtypes.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// secretState is what there is of a secret.
type secretState int

const (
	secretAbsent  secretState = iota
	secretDeleted             // it can be restored
	secretThere
)

// state tells what there is; ErrConflict when it is not ours.
func (s *secretsManager) state(ctx context.Context, doing string, k Key) (secretState, error) {
	state, _, err := s.look(ctx, doing, k)
	return state, err
}

// look is state, and tells by which key of one's own the secret is encrypted.
func (s *secretsManager) look(ctx context.Context, doing string, k Key) (state secretState, kmsKey string, err error) {
	out, err := s.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(k.ID())})
	switch {
	case awserr.Code(err) == "ResourceNotFoundException":
		return secretAbsent, "", nil
	case err != nil:
		return secretAbsent, "", awserr.Wrap(doing, err)
	}
	if tags := secretTags(out.Tags); tags[tagSecret] != k.Name || tags[tagNamespace] != k.Namespace {
		return secretThere, "", k.foreign("secret " + k.ID() + " of AWS Secrets Manager")
	}
	if out.DeletedDate != nil {
		return secretDeleted, "", nil
	}
	return secretThere, aws.ToString(out.KmsKeyId), nil
}

func (s *secretsManager) Find(ctx context.Context, k Key) (kmsKey string, err error) {
	state, kmsKey, err := s.look(ctx, "find secret "+k.String(), k)
	if err == nil && state != secretThere {
		err = k.missing()
	}
	return kmsKey, err
}

// form gives a value as AWS takes it: what is text is shown as text in AWS's
// console, and bytes stay as they are either way.
func form(k Key, value []byte) (text *string, binary []byte, err error) {
	if len(value) > maxSecret {
		return nil, nil, backend.Errorf(backend.ErrInvalid, "secret %q has %d bytes, more than the %d that AWS Secrets Manager takes", k.Name, len(value), maxSecret)
	}
	if utf8.Valid(value) {
		return aws.String(string(value)), nil, nil
	}
	return nil, value, nil
}

func (s *secretsManager) Create(ctx context.Context, k Key, value []byte) error {
	doing := "create secret " + k.String()
	if err := k.validate(); err != nil {
		return err
	}
	text, binary, err := form(k, value)
	if err != nil {
		return err
	}
	var tags []smtypes.Tag
	for key, value := range k.tags() {
		tags = append(tags, smtypes.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	_, err = s.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(k.ID()), SecretString: text, SecretBinary: binary, Tags: tags,
		Description: aws.String("Secret " + k.Name + " of OpenFaaS functions"),
	})
	switch awserr.Code(err) {
	// A name whose secret is scheduled for deletion is an invalid request.
	case "ResourceExistsException", "InvalidRequestException":
	case "LimitExceededException":
		return backend.As(backend.ErrInvalid, awserr.Wrap(doing, err))
	default:
		return awserr.Wrap(doing, err)
	}
	state, problem := s.state(ctx, doing, k)
	switch {
	case problem != nil:
		return problem
	case state == secretThere:
		return k.exists()
	case state == secretAbsent:
		return awserr.Wrap(doing, err)
	}
	if _, err := s.client.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: aws.String(k.ID())}); err != nil {
		return awserr.Wrap(doing, err)
	}
	return s.put(ctx, doing, k, text, binary)
}

func (s *secretsManager) put(ctx context.Context, doing string, k Key, text *string, binary []byte) error {
	_, err := s.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String(k.ID()), SecretString: text, SecretBinary: binary})
	return awserr.Wrap(doing, err)
}

func (s *secretsManager) Update(ctx context.Context, k Key, value []byte) error {
	doing := "update secret " + k.String()
	text, binary, err := form(k, value)
	if err != nil {
		return err
	}
	switch state, err := s.state(ctx, doing, k); {
	case err != nil:
		return err
	case state != secretThere:
		return k.missing()
	}
	return s.put(ctx, doing, k, text, binary)
}

func (s *secretsManager) Remove(ctx context.Context, k Key) error {
	doing := "delete secret " + k.String()
	switch state, err := s.state(ctx, doing, k); {
	case err != nil:
		return err
	case state != secretThere:
		return k.missing()
	}
	_, err := s.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: aws.String(k.ID()), RecoveryWindowInDays: aws.Int64(recoveryDays)})
	return awserr.Wrap(doing, err)
}
