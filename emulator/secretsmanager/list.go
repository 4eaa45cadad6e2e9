package secretsmanager

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type secretDescription struct {
	ARN, Name              string
	Description            string              `json:",omitempty"`
	KmsKeyId               string              `json:",omitempty"`
	Tags                   []tag               `json:",omitempty"`
	VersionIdsToStages     map[string][]string `json:",omitempty"`
	SecretVersionsToStages map[string][]string `json:",omitempty"`
	CreatedDate            wire.Time
	LastChangedDate        wire.Time
	DeletedDate            *wire.Time `json:",omitempty"`
}

func (s *secret) described() secretDescription {
	d := secretDescription{ARN: s.ARN, Name: s.Name, Description: s.Description, KmsKeyId: s.KmsKeyId, Tags: s.Tags, CreatedDate: wire.Time{Time: s.Created}, LastChangedDate: wire.Time{Time: s.Changed}}
	if !s.Deleted.IsZero() {
		deleted := wire.Time{Time: s.Deleted}
		d.DeletedDate = &deleted
	}
	return d
}

func (m *Store) describe(_ context.Context, in *secretID) (secretDescription, error) {
	m.kept.Lock()
	defer m.kept.Unlock()
	s, err := m.find(in.SecretId)
	if err != nil {
		return secretDescription{}, err
	}
	d := s.described()
	d.VersionIdsToStages = s.stages()
	return d, nil
}

type secretFilter struct {
	Key    string
	Values []string
}

type secretPage struct {
	SecretList []secretDescription
	NextToken  string `json:",omitempty"`
}

func (m *Store) list(_ context.Context, in *struct {
	Filters                []secretFilter
	MaxResults             *int
	NextToken              string
	SortOrder              string
	IncludePlannedDeletion bool
}) (secretPage, error) {
	size, from := 100, 0
	if in.MaxResults != nil {
		if size = *in.MaxResults; size < 1 || size > 100 {
			return secretPage{}, refused("ValidationException", "1 validation error detected: Value '"+strconv.Itoa(size)+"' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 100")
		}
	}
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 {
			return secretPage{}, refused("InvalidNextTokenException", "Invalid NextToken")
		}
	}
	m.kept.Lock()
	defer m.kept.Unlock()
	all := slices.DeleteFunc(m.sorted(), func(s *secret) bool {
		return !in.IncludePlannedDeletion && !s.Deleted.IsZero() || !s.matches(in.Filters)
	})
	if in.SortOrder != "asc" {
		slices.Reverse(all)
	}
	page := secretPage{SecretList: []secretDescription{}}
	for i := from; i < len(all) && i < from+size; i++ {
		d := all[i].described()
		d.SecretVersionsToStages = all[i].stages()
		page.SecretList = append(page.SecretList, d)
	}
	if from+size < len(all) {
		page.NextToken = strconv.Itoa(from + size)
	}
	return page, nil
}

// matches says whether every filter has a value that one of the secret's words begins with; a value that begins with ! must match none.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_search-secret.html
func (s *secret) matches(filters []secretFilter) bool {
	for _, f := range filters {
		words := s.words(f.Key)
		if !slices.ContainsFunc(f.Values, func(v string) bool {
			wanted, negated := strings.CutPrefix(v, "!")
			return negated != slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, wanted) })
		}) {
			return false
		}
	}
	return true
}

func (s *secret) words(key string) []string {
	var keys, values []string
	for _, t := range s.Tags {
		keys, values = append(keys, t.Key), append(values, t.Value)
	}
	switch key {
	case "name":
		return []string{s.Name}
	case "description":
		return []string{s.Description}
	case "tag-key":
		return keys
	case "tag-value":
		return values
	case "all":
		return slices.Concat([]string{s.Name, s.Description}, keys, values)
	}
	return nil
}
