package memory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// state is what the file holds, as JSON.
type state struct {
	Version    int                       `json:"version"`
	Namespaces []types.FunctionNamespace `json:"namespaces"`
	Functions  []keptFunction            `json:"functions"`
	Secrets    []types.Secret            `json:"secrets"`
}

type keptFunction struct {
	types.FunctionDeployment
	CreatedAt time.Time `json:"createdAt"`
	Replicas  uint64    `json:"replicas"`
}

const stateVersion = 1

// stateFile writes the state: the changes that come while it writes are written
// together afterwards.
type stateFile struct {
	path   string
	wanted chan struct{} // holds a token when there is something to write
	ended  chan struct{} // closed when nothing is written any more

	mu      sync.Mutex // guards the rest
	waiting []chan error
	writes  int // how often the file was written
}

// openState reads the file, which need not be there.
func openState(path string) (*stateFile, state, error) {
	kept := state{Version: stateVersion}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && kept.Version != stateVersion {
		err = fmt.Errorf("its version is %d, this program knows %d", kept.Version, stateVersion)
	}
	if err != nil {
		return nil, kept, fmt.Errorf("read state file %s: %w", path, err)
	}
	return &stateFile{path: path, wanted: make(chan struct{}, 1), ended: make(chan struct{})}, kept, nil
}

// save returns when the file holds what is in memory now.
func (f *stateFile) save(ctx context.Context) error {
	done := make(chan error, 1)
	f.mu.Lock()
	f.waiting = append(f.waiting, done)
	f.mu.Unlock()
	select {
	case f.wanted <- struct{}{}:
	default:
	}
	select {
	case err := <-done:
		return err
	case <-f.ended:
		return backend.Errorf(backend.ErrUnavailable, "write state file %s: the backend is closed", f.path)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// written returns how often the file was written.
func (f *stateFile) written() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// run writes whenever somebody waits, until ctx ends and nobody does.
func (f *stateFile) run(ctx context.Context, snapshot func() state) {
	defer close(f.ended)
	for {
		select {
		case <-ctx.Done():
			f.flush(snapshot)
			return
		case <-f.wanted:
			f.flush(snapshot)
		}
	}
}

func (f *stateFile) flush(snapshot func() state) {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.mu.Unlock()
	if len(waiting) == 0 {
		return
	}
	err := f.write(snapshot())
	f.mu.Lock()
	f.writes++
	f.mu.Unlock()
	for _, done := range waiting {
		done <- err
	}
}

// write replaces the file: whoever reads it, also after a crash, finds the old
// state or the new one.
func (f *stateFile) write(s state) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write state file %s: %w", f.path, err)
		}
	}()
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already when all went well
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), f.path)
}

// snapshot returns what there is, in a fixed order.
func (b *Backend) snapshot() state {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := state{Version: stateVersion}
	for _, name := range slices.Sorted(maps.Keys(b.namespaces)) {
		s.Namespaces = append(s.Namespaces, b.namespaces[name])
	}
	names := slices.SortedFunc(maps.Keys(b.functions), func(a, b backend.Name) int { return strings.Compare(a.String(), b.String()) })
	for _, name := range names {
		f := b.functions[name]
		s.Functions = append(s.Functions, keptFunction{f.deployed, f.created, f.replicas})
	}
	keys := slices.SortedFunc(maps.Keys(b.secrets), func(a, b secretKey) int { return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name) })
	for _, key := range keys {
		s.Secrets = append(s.Secrets, types.Secret{Name: key.name, Namespace: key.namespace, RawValue: b.secrets[key]})
	}
	return s
}

// restore takes over what the file held.
func (b *Backend) restore(s state) error {
	for _, ns := range s.Namespaces {
		b.namespaces[ns.Name] = ns
	}
	for _, secret := range s.Secrets {
		b.secrets[secretKey{secret.Namespace, secret.Name}] = secret.RawValue
	}
	for _, kept := range s.Functions {
		behaviour, err := behaviourOf(kept.FunctionDeployment)
		if err != nil {
			return err
		}
		name := backend.NameOf(kept.FunctionDeployment)
		b.functions[name] = &function{deployed: kept.FunctionDeployment, behaviour: behaviour, created: kept.CreatedAt, replicas: kept.Replicas, log: newLog(name), use: &use{}}
	}
	return nil
}
