package remote

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// keepHealth is for how long an answer to Check is used.
const keepHealth = time.Second

// Check implements backend.Checker: /readyz says whether functions can be
// invoked there, and where there is no such route, /healthz.
func (b *Backend) Check(ctx context.Context) error {
	_, err := b.health.get(keepHealth, func(struct{}) (struct{}, error) { return struct{}{}, b.check(ctx) })
	return err
}

func (b *Backend) check(ctx context.Context) error {
	path := "/readyz"
	if b.noReadyz.Load() {
		path = "/healthz"
	}
	_, err := b.do(ctx, call{method: http.MethodGet, path: path, doing: "check"})
	if path == "/readyz" && errors.Is(err, backend.ErrNotFound) {
		b.noReadyz.Store(true)
		_, err = b.do(ctx, call{method: http.MethodGet, path: "/healthz", doing: "check"})
	}
	if err == nil && b.orchestration.Load() == nil {
		b.describe(ctx)
	}
	return err
}

// info is what /system/info says: ours of a provider, or a provider's inside of
// a gateway's.
type info struct {
	Orchestration string          `json:"orchestration"`
	Provider      json.RawMessage `json:"provider"`
}

// describe finds out what the provider is.
func (b *Backend) describe(ctx context.Context) {
	var said info
	if _, err := b.do(ctx, call{method: http.MethodGet, path: "/system/info", receive: &said, doing: "read info"}); err != nil {
		b.log.Debug("what the provider is stays unknown", "provider", b.base.Host, "error", err)
		return
	}
	name := said.Orchestration
	var within types.ProviderInfo
	if name == "" && json.Unmarshal(said.Provider, &within) == nil {
		name = within.Orchestration
	}
	if name != "" {
		b.orchestration.Store(&name)
	}
}

// Orchestration implements backend.Describer: what the other provider says, once
// it was asked by Check, and "remote" before.
func (b *Backend) Orchestration() string {
	if name := b.orchestration.Load(); name != nil {
		return *name
	}
	return "remote"
}

var _ io.Closer = (*Backend)(nil)
