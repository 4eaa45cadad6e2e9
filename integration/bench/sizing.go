package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/integration/fixture"
)

const (
	// sizingEvery is how often a gateway asks for the list, and a kubelet whether
	// a pod is ready.
	sizingEvery = 5 * time.Second
	// sizingDeployers is how many deployments are made at a time.
	sizingDeployers = 8
	// sizingCalls is how many invocations are made for each that goes on at a time.
	sizingCalls = 20
)

// sizingBodies are the sizes of requests and of answers.
var sizingBodies = []int{1 << 10, 64 << 10}

// sizing measures what one replica takes: a `faas-lambda serve`, with the AWS in
// another process. It is at rest, then asked for the list of all functions every
// five seconds, then has as many invocations under way as there are functions.
func sizing(ctx context.Context, bin string, functions int, lasting time.Duration, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "faas-lambda-sizing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The provider beside the AWS deploys: the one that is measured only serves.
	cloud, err := startEcho(ctx, bin, dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.Stop()) }()
	lambda, err := newHeldLambda(cloud.AWS)
	if err != nil {
		return err
	}
	defer lambda.close()
	replica, err := fixture.Serve{Program: filepath.Join(bin, "faas-lambda"), Log: io.Discard, Env: []string{
		"AWS_ENDPOINT_URL=" + lambda.url, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=faas-lambda", "AWS_SECRET_ACCESS_KEY=faas-lambda",
		"lambda_execution_role=arn:aws:iam::000000000000:role/faas-lambda", "cache_dir=" + filepath.Join(dir, "cache"),
	}}.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, replica.Stop()) }()

	fmt.Fprintf(out, "Sizing: one replica; processors are those used of one (1,000 m), memory is the most that was resident\n")
	fmt.Fprintf(out, "%-46s %9s %9s  %s\n", "", "CPU", "memory", "")
	row := func(name string, u used, more string) {
		fmt.Fprintf(out, "%-46s %7.1f m %6d MB  %s\n", name, u.processors*1000, u.memory>>20, more)
	}
	rest, err := watch(ctx, replica.PID(), lasting, func(ctx context.Context) error {
		return each(ctx, sizingEvery, func() error { return asked(ctx, replica, "/readyz") })
	})
	if err != nil {
		return err
	}
	row("at rest, asked whether it is ready every 5 s", rest, "")
	if err := deployMany(ctx, cloud, functions-1); err != nil {
		return err
	}
	var times []time.Duration
	listed, err := watch(ctx, replica.PID(), lasting, func(ctx context.Context) error {
		return each(ctx, sizingEvery, func() error {
			begin := time.Now()
			err := listAll(ctx, replica, functions)
			times = append(times, time.Since(begin))
			return err
		})
	})
	if err != nil {
		return err
	}
	slices.Sort(times)
	row(fmt.Sprintf("%d functions listed every 5 s", functions), listed, fmt.Sprintf("list p50 %.0f ms, longest %.0f ms", ms(median(times)), ms(times[len(times)-1])))
	for _, size := range sizingBodies {
		var calls int
		held, err := watch(ctx, replica.PID(), 0, func(ctx context.Context) (err error) {
			calls, err = lambda.crowd(ctx, replica.URL+"/function/echo", functions, size)
			return err
		})
		if err != nil {
			return err
		}
		row(fmt.Sprintf("%d invocations at a time, %d KB each way", functions, size>>10), held,
			fmt.Sprintf("%.0f a second, %.2f ms of a processor each", float64(calls)/held.took.Seconds(), ms(held.cpu)/float64(calls)))
	}
	return nil
}

// each does something now and every so often, until ctx ends.
func each(ctx context.Context, every time.Duration, do func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := do(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func asked(ctx context.Context, up *fixture.Up, path string) error {
	answer, err := up.Do(context.WithoutCancel(ctx), http.MethodGet, path, nil)
	if err == nil && answer.Status != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %s", path, answer.Status, answer.Body)
	}
	return err
}

// listAll asks for the list as a gateway does.
func listAll(ctx context.Context, up *fixture.Up, want int) error {
	answer, err := up.Do(context.WithoutCancel(ctx), http.MethodGet, "/system/functions", nil)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("list answered %d: %s", answer.Status, answer.Body)
	}
	var list []types.FunctionStatus
	if err := json.Unmarshal(answer.Body, &list); err != nil || len(list) != want {
		return fmt.Errorf("%d functions are listed, want %d: %w", len(list), want, err)
	}
	return nil
}

// deployMany deploys n functions of the image that echo has.
func deployMany(ctx context.Context, up *fixture.Up, n int) error {
	registry, ref, err := smallImage(ctx)
	if err != nil {
		return err
	}
	defer registry.Close()
	turns, errs := make(chan int), make(chan error, sizingDeployers)
	var all sync.WaitGroup
	for range sizingDeployers {
		all.Go(func() {
			for i := range turns {
				answer, err := up.Deploy(ctx, types.FunctionDeployment{
					Service: fmt.Sprint("function-", i), Image: ref, EnvVars: map[string]string{"NUMBER": fmt.Sprint(i)},
					Labels: &map[string]string{"team": "sizing"}, Annotations: &map[string]string{"topic": "sizing"},
				})
				if err == nil && answer.Status >= 300 {
					err = fmt.Errorf("deploy answered %d: %s", answer.Status, answer.Body)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	err = nil
	for i := 0; i < n && err == nil; i++ {
		select {
		case turns <- i:
		case err = <-errs:
		}
	}
	close(turns)
	all.Wait()
	close(errs)
	return errors.Join(err, <-errs)
}
