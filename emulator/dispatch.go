package emulator

import (
	"net/http"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// targets are the services of JSON protocols, by what stands before the operation in X-Amz-Target.
var targets = map[string]string{
	"AWSLambda":      "lambda",
	"secretsmanager": "secretsmanager",
	"AmazonSSM":      "ssm",

	"AmazonEC2ContainerRegistry_V20150921": "ecr",
	"Logs_20140328":                        "logs",
	"GraniteServiceVersion20100801":        "monitoring",
	"AmazonSQS":                            "sqs",
	"AWSEvents":                            "events",
	"ResourceGroupsTaggingAPI_20170126":    "tagging",
}

// serviceOf names the service that a request is for, as signatures name it; "" where nothing tells. The scope of the signature comes first.
func serviceOf(r *http.Request) string {
	if service := wire.CallerOf(r).Service; service != "" {
		return service
	}
	prefix, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return targets[prefix]
}

// dispatch gives a request to its service. What nothing tells of is Lambda's, or the image registry's.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, service string) {
	if service == "ecr" {
		s.services.hosts.Store(r.Host, true)
	}
	handler := s.services.handlers[service]
	switch {
	case handler != nil:
	case service == "" && isRegistry(r):
		handler = s.services.registry
	default:
		handler = s.services.handlers["lambda"]
	}
	handler.ServeHTTP(w, r)
}

// isRegistry tells requests of the image registry, which are not signed.
func isRegistry(r *http.Request) bool {
	return r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/")
}
