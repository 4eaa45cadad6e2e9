package emulator

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/ecr"
	"github.com/faas-lambda/faas-lambda/emulator/events"
	"github.com/faas-lambda/faas-lambda/emulator/iam"
	"github.com/faas-lambda/faas-lambda/emulator/identity"
	"github.com/faas-lambda/faas-lambda/emulator/lambda"
	"github.com/faas-lambda/faas-lambda/emulator/logs"
	"github.com/faas-lambda/faas-lambda/emulator/metrics"
	"github.com/faas-lambda/faas-lambda/emulator/s3"
	"github.com/faas-lambda/faas-lambda/emulator/secretsmanager"
	"github.com/faas-lambda/faas-lambda/emulator/sns"
	"github.com/faas-lambda/faas-lambda/emulator/sqs"
	"github.com/faas-lambda/faas-lambda/emulator/ssm"
)

// services are the parts of AWS at the one endpoint: SDKs and the AWS CLI send every service's requests to the one URL that they are given.
type services struct {
	lambda  *lambda.Service
	objects *s3.Store
	images  *ecr.Store
	queues  *sqs.Store
	topics  *sns.Store
	rules   *events.Store
	logs    *logs.Store
	metrics *metrics.Store

	registry http.Handler            // of images, for those who log in
	handlers map[string]http.Handler // by the name that requests are signed for
	hosts    sync.Map                // where clients of ECR found it: its registry is there for them
}

// openServices opens all of them, Lambda last: it uses the others.
func (s *Server) openServices() error {
	s.services.handlers = map[string]http.Handler{"sts": identity.New(s.opts.Account)}
	for _, open := range []func() error{s.openStores, s.openMessaging, s.openObservation, s.openLambda} {
		if err := open(); err != nil {
			return err
		}
	}
	return nil
}

// openStores opens what keeps things: objects, images, secrets, parameters, roles.
func (s *Server) openStores() error {
	account, region, v := s.opts.Account, s.opts.Region, &s.services
	var err error
	if v.objects, err = s3.Open(s3.Options{Dir: s.dir.below("s3"), Notify: s.notifyOf, Takes: s.takes}); err != nil {
		return fmt.Errorf("open S3: %w", err)
	}
	if v.images, err = ecr.Open(ecr.Options{Dir: s.dir.below("ecr"), Account: account, Region: region}); err != nil {
		return fmt.Errorf("open ECR: %w", err)
	}
	secrets, err := secretsmanager.Open(secretsmanager.Options{Dir: s.dir.below("secretsmanager"), Account: account, Region: region})
	if err != nil {
		return fmt.Errorf("open Secrets Manager: %w", err)
	}
	parameters, err := ssm.Open(ssm.Options{Dir: s.dir.below("ssm"), Account: account, Region: region})
	if err != nil {
		return fmt.Errorf("open Parameter Store: %w", err)
	}
	roles, err := iam.Open(iam.Options{Dir: s.dir.path, User: identity.User, Account: func(accessKey string) string { return identity.Account(accessKey, account) }})
	if err != nil {
		return fmt.Errorf("open IAM: %w", err)
	}
	v.registry = v.images.Guarded()
	v.handlers["s3"], v.handlers["ecr"], v.handlers["iam"] = v.objects, v.images.API(), roles
	v.handlers["secretsmanager"], v.handlers["ssm"] = secrets.API(), parameters.API()
	return nil
}

// openMessaging opens what delivers: queues, topics, rules.
func (s *Server) openMessaging() error {
	account, region, v := s.opts.Account, s.opts.Region, &s.services
	var err error
	if v.queues, err = sqs.Open(sqs.Options{Dir: s.dir.below("sqs"), Account: account, Region: region, Now: s.now}); err != nil {
		return fmt.Errorf("open SQS: %w", err)
	}
	if v.topics, err = sns.Open(sns.Options{Dir: s.dir.below("sns"), Account: account, Region: region, Deliver: s.deliver}); err != nil {
		return fmt.Errorf("open SNS: %w", err)
	}
	v.rules, err = events.Open(events.Options{Dir: s.dir.below("events"), Account: account, Region: region, Clock: s.opts.clock, Deliver: s.deliverEvent})
	if err != nil {
		return fmt.Errorf("open EventBridge: %w", err)
	}
	v.handlers["sqs"], v.handlers["sns"], v.handlers["events"] = v.queues.API(), v.topics.API(), v.rules.API()
	return nil
}

// openObservation opens what functions are watched by: logs and metrics.
func (s *Server) openObservation() error {
	v := &s.services
	v.logs = logs.New(logs.Options{Account: s.opts.Account, Region: s.opts.Region})
	v.metrics = metrics.New(nil)
	v.handlers["logs"], v.handlers["monitoring"] = v.logs.API(), v.metrics.API()
	return nil
}

func (s *Server) openLambda() error {
	v := &s.services
	var err error
	v.lambda, err = lambda.Open(s.ctx, lambda.Options{
		Dir: s.dir.path, Temporary: s.dir.temporary, Region: s.opts.Region, Account: s.opts.Account, Address: s.opts.Address, API: s,
		Concurrency: s.opts.Concurrency, Settle: s.faults.Wait, Logger: s.opts.Logger, LogOutput: s.opts.LogOutput,
		Services: lambda.Services{
			Objects: objectStore{v.objects}, Logs: v.logs, Metrics: metricStore{v.metrics}, Queues: queueStore{v.queues}, Topics: topicStore{v.topics},
			Bus: v.rules, Registries: ownRegistry{s},
		},
	})
	if err != nil {
		return err
	}
	v.handlers["lambda"], v.handlers["tagging"] = v.lambda.API(), v.lambda.TaggingAPI()
	return nil
}

// now is the time of queues and schedules.
func (s *Server) now() time.Time {
	if s.opts.clock != nil {
		return s.opts.clock.Now()
	}
	return time.Now()
}
