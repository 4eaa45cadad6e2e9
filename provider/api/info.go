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
	Provider types.ProviderInfo `json:"provider"`
	Version  *types.VersionInfo `json:"version"`
	Arch     string             `json:"arch"`
}

// info tells what this provider is. A gateway asks for ProviderInfo. faas-cli
// asks whatever OPENFAAS_URL names and expects a gateway, whose "provider" is
// an object where ours is a string: `faas-cli version` cannot read ours. So
// faas-cli, when it comes by itself and not forwarded by a gateway, is answered
// as by a gateway.
func (s *server) info(w http.ResponseWriter, r *http.Request) {
	version := &types.VersionInfo{Release: s.opts.Version, SHA: s.opts.SHA}
	provider := types.ProviderInfo{Name: "faas-lambda", Orchestration: s.orchestration(), Version: version}
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

func (s *server) listNamespaces(w http.ResponseWriter, r *http.Request) {
	namespaces, err := s.namespaces(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if namespaces == nil {
		namespaces = []string{}
	}
	s.writeJSON(w, r, namespaces)
}
