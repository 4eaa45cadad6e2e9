package secretsmanager

import (
	"context"
	"slices"
)

type tag struct{ Key, Value string }

func (m *Store) tag(_ context.Context, in *struct {
	SecretId string
	Tags     []tag
}) (struct{}, error) {
	_, err := m.change(in.SecretId, func(s *secret) error {
		s.Tags = withTags(s.Tags, in.Tags)
		return nil
	})
	return struct{}{}, err
}

func (m *Store) untag(_ context.Context, in *struct {
	SecretId string
	TagKeys  []string
}) (struct{}, error) {
	_, err := m.change(in.SecretId, func(s *secret) error {
		s.Tags = slices.DeleteFunc(s.Tags, func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return nil
	})
	return struct{}{}, err
}

// withTags returns tags with others added or replaced.
func withTags(tags, others []tag) []tag {
	merged := append([]tag(nil), tags...)
next:
	for _, t := range others {
		for i := range merged {
			if merged[i].Key == t.Key {
				merged[i] = t
				continue next
			}
		}
		merged = append(merged, t)
	}
	return merged
}
