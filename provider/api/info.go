package api

import (
	"net/http"
	"runtime"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
)

// gatewayInfo is what a gateway answers at /system/info, around what its
// provider answered there.
type gatewayInfo struct {
	Provider providerInfo       `json:"provider"`
	Version  *types.VersionInfo `json:"version"`
	Arch     string             `json:"arch"`
}

// providerInfo is faas-provider's with what a federation is made of.
type providerInfo struct {
	types.ProviderInfo
	Parts []backend.Part `json:"parts,omitempty"`
}

// info tells what this provider is. A gateway asks for ProviderInfo. faas-cli
// asks whatever OPENFAAS_URL names and expects a gateway, whose "provider" is
// an object where ours is a string: `faas-cli version` cannot read ours. So
// faas-cli, when it comes by itself and not forwarded by a gateway, is answered
// as by a gateway.
func (s *server) info(w http.ResponseWriter, r *http.Request) {
	version := &types.VersionInfo{Release: s.opts.Version, SHA: s.opts.SHA}
	provider := providerInfo{ProviderInfo: types.ProviderInfo{Name: "faas-lambda", Orchestration: s.orchestration(), Version: version}}
	if b, ok := s.backend.(backend.Composer); ok {
		provider.Parts = b.Parts()
	}
	forwarded := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("X-Forwarded-Host") != ""
	if strings.HasPrefix(r.UserAgent(), "faas-cli/") && !forwarded {
		s.writeJSON(w, r, gatewayInfo{Provider: provider, Version: version, Arch: machine()})
		return
	}
	s.writeJSON(w, r, provider)
}

func (s *server) orchestration() string {
	if b, ok := s.backend.(backend.Describer); ok {
		return b.Orchestration()
	}
	return "lambda"
}

// machine returns the processor as uname and the gateway name it.
func machine() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}
