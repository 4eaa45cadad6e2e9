package lambda

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// initTimeout is what Lambda gives a function to become ready before its first invocation; if it does not, it is started once more within that
// invocation and its timeout.
const initTimeout = 10 * time.Second

// event is one invocation asked for.
type event struct {
	requestID     string
	arn           string
	traceID       string
	clientContext string
	payload       []byte
}

// outcome is what became of it.
type outcome struct {
	failure *functionError // nil: the response is the answer
	err     error          // the emulator's own failure
	log     *invocationLog
}

// execution is one invocation under way.
type execution struct {
	*Service
	lease   *lease
	event   event
	log     *invocationLog
	timeout time.Duration
	init    time.Duration // of a cold start
	took    time.Duration
}

// execute runs one invocation with the lease to its end. begin is called as for sandbox.Invoke.
func (s *Service) execute(l *lease, ev event, begin func(sandbox.Response)) outcome {
	x := &execution{
		Service: s, lease: l, event: ev, timeout: time.Duration(l.live.Config.Timeout) * time.Second,
	}
	if l.instance != nil {
		x.log = &invocationLog{journal: l.instance.journal}
	} else {
		x.log = &invocationLog{journal: s.newJournal(l.post, l.live)}
	}
	failure, err := x.run(begin)
	if err != nil {
		if l.instance != nil {
			l.instance.box.Kill() // not to be used again
		}
		return outcome{err: err, log: x.log}
	}
	x.end(failure)
	s.measureInvocation(resourceOf(ev.arn), l.version, failure != nil, x.took)
	return outcome{failure: failure, log: x.log}
}

func (x *execution) run(begin func(sandbox.Response)) (*functionError, error) {
	if runtime := x.lease.live.Config.Runtime; x.lease.live.ImageDigest == "" && !customRuntime(runtime) {
		x.start()
		return managedRuntime(runtime, x.event.requestID), nil
	}
	ready := x.lease.instance != nil
	if ready {
		x.lease.instance.log.Store(x.log)
	} else {
		var err error
		if ready, err = x.coldStart(); err != nil {
			return nil, err
		}
	}
	x.start()
	if !ready {
		if err := x.place(x.ctx); err != nil {
			return x.fault(err)
		}
	}
	began := time.Now()
	deadline := began.Add(x.timeout)
	if !ready {
		if err := x.startAgain(deadline); err != nil {
			x.took = time.Since(began)
			return x.fault(err)
		}
	}
	_, err := x.lease.instance.box.Invoke(x.ctx, sandbox.Invocation{
		RequestID: x.event.requestID, Deadline: deadline, FunctionARN: x.event.arn, TraceID: x.event.traceID,
		ClientContext: x.event.clientContext, Payload: x.event.payload,
	}, begin)
	x.took = time.Since(began)
	if err != nil {
		return x.fault(err)
	}
	return nil, nil
}

// fault sorts an error into the function's and ours.
func (x *execution) fault(err error) (*functionError, error) {
	if x.ctx.Err() != nil {
		return nil, errors.New("the emulator is closing")
	}
	if failure := describe(err, x.event.requestID, x.timeout); failure != nil {
		return failure, nil
	}
	return nil, err
}

// coldStart starts a sandbox before the invocation; false means that the function did not become ready and is to be started again.
func (x *execution) coldStart() (bool, error) {
	c := x.lease.live.Config
	if c.RuntimeVersionConfig != nil {
		x.log.printf("INIT_START Runtime Version: %s.emulator\tRuntime Version ARN: %s", c.Runtime, c.RuntimeVersionConfig.RuntimeVersionArn)
	}
	var took time.Duration
	err := x.place(x.ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(x.ctx, x.initTimeout)
		defer cancel()
		took, err = x.lease.instance.box.Boot(ctx)
		x.log.extensions(x.lease.instance.box)
	}
	if err == nil {
		x.init = took
		return true, nil
	}
	failure, err := x.fault(err)
	if err != nil {
		return false, err
	}
	x.initReport(took, "init", failure)
	return false, nil
}

func (x *execution) startAgain(deadline time.Time) error {
	ctx, cancel := context.WithDeadline(x.ctx, deadline)
	defer cancel()
	took, err := x.lease.instance.box.Boot(ctx)
	x.log.extensions(x.lease.instance.box)
	if failure := describe(err, x.event.requestID, x.timeout); failure != nil {
		x.initReport(took, "invoke", failure)
	}
	return err
}

// place makes a sandbox in place of the one there was; bootstrap does not run in it yet. The time that this takes is the machine's and none of the
// function's.
func (x *execution) place(ctx context.Context) error {
	if old := x.lease.instance; old != nil {
		x.lease.instance = nil
		if err := old.box.Close(); err != nil {
			return err
		}
	}
	i, err := x.newInstance(ctx, x.lease.post, x.lease.live, x.log, sandbox.OnDemand)
	if err == nil {
		x.lease.instance = i
	}
	return err
}

func (x *execution) initReport(took time.Duration, phase string, failure *functionError) {
	x.lease.instance.box.DrainLogs()
	line := fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s", milliseconds(took), phase, failure.status)
	if failure.status != "timeout" {
		line += "\tError Type: " + failure.kind
	}
	x.log.printf("%s", line)
}

func (x *execution) start() {
	x.log.printf("START RequestId: %s Version: %s", x.event.requestID, x.lease.version)
}

// end writes the last lines of the invocation's log. The sandbox is not frozen yet, or gone.
func (x *execution) end(failure *functionError) {
	r := report{
		requestID: x.event.requestID, duration: x.took, init: x.init, memoryMB: x.lease.live.Config.MemorySize,
	}
	if i := x.lease.instance; i != nil {
		i.box.DrainLogs()
		r.maxMemory = i.box.MaxMemory()
		i.log.Store(nil)
	}
	if failure != nil {
		x.endFailed(&r, failure)
	}
	x.log.printf("END RequestId: %s", x.event.requestID)
	x.log.printf("%s", r)
}

func (x *execution) endFailed(r *report, failure *functionError) {
	r.status, r.errorType = failure.status, failure.kind
	switch failure.kind {
	case "Sandbox.Timedout":
		r.errorType = ""
		r.duration = max(r.duration, x.timeout)
		x.log.printf("%s %s %s", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), x.event.requestID, timedOut(x.timeout))
	case "Runtime.ExitError":
		i := x.lease.instance
		if i != nil && !i.box.Reusable() {
			exit := i.box.Exit()
			x.log.printf("RequestId: %s Error: %s\n%s", x.event.requestID, exited(exit.Status), failure.kind)
			if exit.OOM { // the caller sees the signal; only the report names the reason (AWS)
				r.errorType = "Runtime.OutOfMemory"
			}
		}
	}
}
