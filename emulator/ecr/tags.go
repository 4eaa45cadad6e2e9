package ecr

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

type resource struct {
	ResourceArn string   `json:"resourceArn"`
	Tags        []tag    `json:"tags"`
	TagKeys     []string `json:"tagKeys"`
}

func (s *Store) named(arn string) (string, error) {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return "", wire.Refuse("InvalidParameterException", "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
	}
	return name, nil
}

func (s *Store) tagResource(_ context.Context, in *resource) (struct{}, error) {
	name, err := s.named(in.ResourceArn)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.edit(name, func(r *repository) error {
		for _, t := range in.Tags {
			r.Labels[t.Key] = t.Value
		}
		return nil
	})
}

func (s *Store) untagResource(_ context.Context, in *resource) (struct{}, error) {
	name, err := s.named(in.ResourceArn)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, s.edit(name, func(r *repository) error {
		for _, key := range in.TagKeys {
			delete(r.Labels, key)
		}
		return nil
	})
}

func (s *Store) listTags(_ context.Context, in *resource) (map[string][]tag, error) {
	name, err := s.named(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	err = s.view(name, func(r *repository) error {
		for _, key := range slices.Sorted(maps.Keys(r.Labels)) {
			tags = append(tags, tag{key, r.Labels[key]})
		}
		return nil
	})
	return map[string][]tag{"tags": tags}, err
}
