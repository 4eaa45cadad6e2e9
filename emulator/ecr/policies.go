package ecr

import (
	"context"
	"encoding/json"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

func (s *Store) handlePolicies(service *wire.Service) {
	wire.Handle(service, "PutLifecyclePolicy", s.putLifecycle)
	wire.Handle(service, "GetLifecyclePolicy", s.getLifecycle)
	wire.Handle(service, "DeleteLifecyclePolicy", s.deleteLifecycle)
	wire.Handle(service, "SetRepositoryPolicy", s.setPolicy)
	wire.Handle(service, "GetRepositoryPolicy", s.getPolicy)
	wire.Handle(service, "DeleteRepositoryPolicy", s.deletePolicy)
}

// lifecycle is a request for, and an answer with, a lifecycle policy.
type lifecycle struct {
	RegistryId          string    `json:"registryId"`
	RepositoryName      string    `json:"repositoryName"`
	LifecyclePolicyText string    `json:"lifecyclePolicyText"`
	LastEvaluatedAt     wire.Time `json:"lastEvaluatedAt,omitzero"`
}

func (s *Store) putLifecycle(_ context.Context, in *lifecycle) (lifecycle, error) {
	var document struct {
		Rules []struct {
			RulePriority int `json:"rulePriority"`
		} `json:"rules"`
	}
	if err := json.Unmarshal([]byte(in.LifecyclePolicyText), &document); err != nil || len(document.Rules) == 0 {
		return lifecycle{}, wire.Refuse("InvalidParameterException", "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: invalid JSON or no rules'")
	}
	err := s.edit(in.RepositoryName, func(r *repository) error {
		r.Lifecycle, r.Evaluated = in.LifecyclePolicyText, s.opts.Now().UTC()
		return nil
	})
	return lifecycle{RegistryId: s.opts.Account, RepositoryName: in.RepositoryName, LifecyclePolicyText: in.LifecyclePolicyText}, err
}

func (s *Store) getLifecycle(_ context.Context, in *lifecycle) (lifecycle, error) {
	return s.lifecycle(in.RepositoryName, s.view, func(*repository) {})
}

func (s *Store) deleteLifecycle(_ context.Context, in *lifecycle) (lifecycle, error) {
	return s.lifecycle(in.RepositoryName, s.edit, func(r *repository) { r.Lifecycle = "" })
}

func (s *Store) lifecycle(name string, with func(string, func(*repository) error) error, then func(*repository)) (lifecycle, error) {
	var out lifecycle
	err := with(name, func(r *repository) error {
		if r.Lifecycle == "" {
			return wire.Refuse("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", name, s.opts.Account)
		}
		out = lifecycle{s.opts.Account, name, r.Lifecycle, wire.Time{Time: r.Evaluated}}
		then(r)
		return nil
	})
	return out, err
}

// policy is a request for, and an answer with, a repository policy.
type policy struct {
	RegistryId     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
	PolicyText     string `json:"policyText"`
}

func (s *Store) setPolicy(_ context.Context, in *policy) (policy, error) {
	if !json.Valid([]byte(in.PolicyText)) {
		return policy{}, wire.Refuse("InvalidParameterException", "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	}
	err := s.edit(in.RepositoryName, func(r *repository) error { r.Policy = in.PolicyText; return nil })
	return policy{s.opts.Account, in.RepositoryName, in.PolicyText}, err
}

func (s *Store) getPolicy(_ context.Context, in *policy) (policy, error) {
	return s.policy(in.RepositoryName, s.view, func(*repository) {})
}

func (s *Store) deletePolicy(_ context.Context, in *policy) (policy, error) {
	return s.policy(in.RepositoryName, s.edit, func(r *repository) { r.Policy = "" })
}

func (s *Store) policy(name string, with func(string, func(*repository) error) error, then func(*repository)) (policy, error) {
	var out policy
	err := with(name, func(r *repository) error {
		if r.Policy == "" {
			return wire.Refuse("RepositoryPolicyNotFoundException", "Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", name, s.opts.Account)
		}
		out = policy{s.opts.Account, name, r.Policy}
		then(r)
		return nil
	})
	return out, err
}
