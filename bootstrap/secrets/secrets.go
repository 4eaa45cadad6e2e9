// Package secrets brings the secrets that a function names from AWS Secrets
// Manager and SSM Parameter Store into files, one a secret, and keeps them up
// to date. It has no AWS SDK: two calls and a signature are all it needs, and
// its size is every function's cold start. It never logs a value and never puts
// one into an error.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// ErrInvalid says that a variable is wrong, not that AWS could not be asked.
// The error names the variable.
var ErrInvalid = errors.New("invalid configuration of secrets")

// workers is how many secrets are fetched at a time.
const workers = 4

// Store holds the files. A nil Store, that of a function without secrets, has
// none: its methods do nothing. All methods may be called at the same time.
type Store struct {
	dir    string
	ttl    time.Duration
	named  []reference
	client *client
	log    *slog.Logger
	now    func() time.Time
	wait   time.Duration  // refreshWait
	ended  sync.WaitGroup // the goroutines of refreshes

	mu       sync.Mutex // guards the files and the fields below
	sums     map[string]sum
	fresh    time.Time // when the values were last asked for, all of them with success
	failures int       // refreshes since then
	retry    time.Time // not before
	running  *refresh
}

// Load fetches every secret that env (as os.Environ gives it) names, or all of
// none: an error tells which could not be had, and AWS's code, and nothing is
// written. It tries until ctx ends, so ctx must have a deadline. The Store is nil
// when env names no secrets. log gets what goes wrong later, in refreshes.
func Load(ctx context.Context, env []string, log *slog.Logger) (*Store, error) {
	c, err := parseConfig(env)
	if err != nil || len(c.named) == 0 {
		return nil, err
	}
	s := &Store{
		dir: c.dir, ttl: c.ttl, named: c.named, client: newClient(c), log: log,
		now: wallClock, wait: refreshWait, sums: map[string]sum{},
	}
	s.fresh = s.now()
	values, failed := s.client.fetchAll(ctx, s.named)
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	if err := makeDir(s.dir); err != nil {
		return nil, err
	}
	return s, s.write(values)
}

// wallClock has no monotonic part: that one may stand still while the sandbox is
// frozen, and does not survive a snapshot.
func wallClock() time.Time { return time.Now().Round(0) }

// Dir is the directory of the files, "" without secrets.
func (s *Store) Dir() string {
	if s == nil {
		return ""
	}
	return s.dir
}

// mountVariable is by what OpenFaaS's SDKs and watchdogs look for the directory.
const mountVariable = "secret_mount_path"

// Environ returns the environment of the function's process: env, with
// secret_mount_path added where it is not set already.
func (s *Store) Environ(env []string) []string {
	if s == nil {
		return env
	}
	for _, kv := range env {
		if strings.HasPrefix(kv, mountVariable+"=") {
			return env
		}
	}
	return append(env[:len(env):len(env)], mountVariable+"="+s.dir)
}

// Close ends a refresh that is running. The files stay.
func (s *Store) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	if s.running != nil {
		s.running.cancel()
	}
	s.ttl = 0 // no more of them
	s.mu.Unlock()
	s.ended.Wait()
}

// fetchAll returns the value of each secret, in order; one that could not be had
// has an error in its place and no value.
func (c *client) fetchAll(ctx context.Context, named []reference) (values [][]byte, failed []error) {
	values, failed = make([][]byte, len(named)), make([]error, len(named))
	next := make(chan int)
	var done sync.WaitGroup
	for range min(workers, len(named)) {
		done.Go(func() {
			var idle pool
			defer idle.close()
			for i := range next {
				v, err := c.fetch(ctx, &idle, named[i])
				if err != nil {
					err = fmt.Errorf("fetch secret %s (%s): %w", named[i].name, named[i].ref, err)
				}
				values[i], failed[i] = v, err
			}
		})
	}
	for i := range named {
		next <- i
	}
	close(next)
	done.Wait()
	return values, failed
}
