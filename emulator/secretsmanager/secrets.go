package secretsmanager

import (
	"context"
	"regexp"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`)

type secretVersioned struct {
	ARN, Name     string
	VersionId     string   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
}

func (m *Store) create(_ context.Context, in *struct {
	Name, Description, KmsKeyId, ClientRequestToken string
	Tags                                            []tag
	payload
}) (secretVersioned, error) {
	if !secretName.MatchString(in.Name) {
		return secretVersioned{}, refused("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if err := in.check(); err != nil {
		return secretVersioned{}, err
	}
	m.kept.Lock()
	defer m.kept.Unlock()
	if old := m.kept.All[in.Name]; old != nil {
		if !old.Deleted.IsZero() {
			return secretVersioned{}, refused("InvalidRequestException", "You can't create this secret because a secret with this name is already scheduled for deletion.")
		}
		return secretVersioned{}, refused("ResourceExistsException", "The operation failed because the secret "+in.Name+" already exists.")
	}
	now := time.Now()
	s := &secret{Name: in.Name, ARN: m.newARN(in.Name), Description: in.Description, KmsKeyId: in.KmsKeyId, Created: now, Changed: now,
		Tags: withTags(nil, in.Tags), Versions: map[string]*secretVersion{}}
	out := secretVersioned{ARN: s.ARN, Name: s.Name}
	if in.given() {
		var err error
		if out.VersionId, err = s.add(in.ClientRequestToken, in.payload, nil); err != nil {
			return secretVersioned{}, err
		}
	}
	return out, m.kept.Put(s.Name, s)
}

type secretValue struct {
	ARN, Name, VersionId string
	SecretString         *string `json:",omitempty"`
	SecretBinary         []byte  `json:",omitempty"`
	VersionStages        []string
	CreatedDate          wire.Time
}

func (m *Store) value(_ context.Context, in *struct{ SecretId, VersionId, VersionStage string }) (secretValue, error) {
	m.kept.Lock()
	defer m.kept.Unlock()
	s, err := m.alive(in.SecretId)
	if err != nil {
		return secretValue{}, err
	}
	id, v, err := s.pick(in.VersionId, in.VersionStage)
	if err != nil {
		return secretValue{}, err
	}
	return secretValue{ARN: s.ARN, Name: s.Name, VersionId: id, SecretString: v.String, SecretBinary: v.Binary, VersionStages: v.Stages, CreatedDate: wire.Time{Time: v.Created}}, nil
}

func (m *Store) putValue(_ context.Context, in *struct {
	SecretId, ClientRequestToken string
	VersionStages                []string
	payload
}) (secretVersioned, error) {
	if err := in.check(); err != nil {
		return secretVersioned{}, err
	}
	if !in.given() {
		return secretVersioned{}, refused("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	}
	var out secretVersioned
	s, err := m.change(in.SecretId, func(s *secret) (err error) {
		out.VersionId, err = s.add(in.ClientRequestToken, in.payload, in.VersionStages)
		return err
	})
	if err != nil {
		return secretVersioned{}, err
	}
	out.ARN, out.Name, out.VersionStages = s.ARN, s.Name, s.Versions[out.VersionId].Stages
	return out, nil
}

func (m *Store) update(_ context.Context, in *struct {
	SecretId, ClientRequestToken string
	Description, KmsKeyId        *string
	payload
}) (secretVersioned, error) {
	if err := in.check(); err != nil {
		return secretVersioned{}, err
	}
	var out secretVersioned
	s, err := m.change(in.SecretId, func(s *secret) (err error) {
		if in.Description != nil {
			s.Description = *in.Description
		}
		if in.KmsKeyId != nil {
			s.KmsKeyId = *in.KmsKeyId
		}
		if in.given() {
			out.VersionId, err = s.add(in.ClientRequestToken, in.payload, nil)
		}
		return err
	})
	if err != nil {
		return secretVersioned{}, err
	}
	out.ARN, out.Name = s.ARN, s.Name
	return out, nil
}

type secretDeleted struct {
	ARN, Name    string
	DeletionDate wire.Time
}

func (m *Store) deleteSecret(_ context.Context, in *struct {
	SecretId                   string
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}) (secretDeleted, error) {
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
		if in.ForceDeleteWithoutRecovery {
			return secretDeleted{}, refused("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		}
		if days < 7 || days > 30 {
			return secretDeleted{}, refused("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
		}
	}
	m.kept.Lock()
	defer m.kept.Unlock()
	if in.ForceDeleteWithoutRecovery {
		s, err := m.find(in.SecretId)
		if err != nil { // no error: the aim is reached
			return secretDeleted{m.newARN(in.SecretId), in.SecretId, wire.Time{Time: time.Now()}}, nil
		}
		return secretDeleted{s.ARN, s.Name, wire.Time{Time: time.Now()}}, m.kept.Remove(s.Name)
	}
	old, err := m.alive(in.SecretId)
	if err != nil {
		return secretDeleted{}, err
	}
	s := *old
	s.Deleted = time.Now().AddDate(0, 0, days)
	return secretDeleted{s.ARN, s.Name, wire.Time{Time: s.Deleted}}, m.kept.Put(s.Name, &s)
}

func (m *Store) restore(_ context.Context, in *secretID) (secretVersioned, error) {
	m.kept.Lock()
	defer m.kept.Unlock()
	old, err := m.find(in.SecretId)
	if err != nil {
		return secretVersioned{}, err
	}
	s := *old
	s.Deleted = time.Time{}
	return secretVersioned{ARN: s.ARN, Name: s.Name}, m.kept.Put(s.Name, &s)
}
