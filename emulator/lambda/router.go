package lambda

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// maxRequest is the size that a request must stay below (recorded from the real service).
const maxRequest = 70_167_211

// An operation answers one call of the API; what it returns is written as the error.
type operation func(w http.ResponseWriter, r *http.Request, target string) error

// route is one entry of the API model: version date and resource, with what comes after the resource's name.
type route struct{ method, version, resource, rest string }

func (s *Service) routes() map[route]operation {
	return map[route]operation{
		{"POST", "2015-03-31", "functions", ""}:                                s.createFunction,
		{"GET", "2015-03-31", "functions", ""}:                                 s.listFunctions,
		{"GET", "2015-03-31", "functions", "/"}:                                s.getFunction,
		{"DELETE", "2015-03-31", "functions", "/"}:                             s.deleteFunction,
		{"GET", "2015-03-31", "functions", "/configuration"}:                   s.getConfiguration,
		{"PUT", "2015-03-31", "functions", "/configuration"}:                   s.updateConfiguration,
		{"PUT", "2015-03-31", "functions", "/code"}:                            s.updateCode,
		{"POST", "2015-03-31", "functions", "/invocations"}:                    s.invoke,
		{"POST", "2021-11-15", "functions", "/response-streaming-invocations"}: s.invokeStream,
		{"PUT", "2017-10-31", "functions", "/concurrency"}:                     s.putConcurrency,
		{"DELETE", "2017-10-31", "functions", "/concurrency"}:                  s.deleteConcurrency,
		{"GET", "2019-09-30", "functions", "/concurrency"}:                     s.getConcurrency,
		{"POST", "2015-03-31", "functions", "/versions"}:                       s.publishVersion,
		{"GET", "2015-03-31", "functions", "/versions"}:                        s.listVersions,
		{"POST", "2015-03-31", "functions", "/aliases"}:                        s.createAlias,
		{"GET", "2015-03-31", "functions", "/aliases"}:                         s.listAliases,
		{"GET", "2015-03-31", "functions", "/aliases/"}:                        s.getAlias,
		{"PUT", "2015-03-31", "functions", "/aliases/"}:                        s.updateAlias,
		{"DELETE", "2015-03-31", "functions", "/aliases/"}:                     s.deleteAlias,
		{"PUT", "2019-09-30", "functions", "/provisioned-concurrency"}:         s.putProvisioned,
		{"GET", "2019-09-30", "functions", "/provisioned-concurrency"}:         s.getProvisioned,
		{"DELETE", "2019-09-30", "functions", "/provisioned-concurrency"}:      s.deleteProvisioned,
		{"GET", "2017-03-31", "tags", "/"}:                                     s.listTags,
		{"POST", "2017-03-31", "tags", "/"}:                                    s.tagResource,
		{"DELETE", "2017-03-31", "tags", "/"}:                                  s.untagResource,
		{"GET", "2016-08-19", "account-settings", ""}:                          s.accountSettings,
		{"GET", "2018-10-31", "layers", ""}:                                    s.listLayers,
		{"GET", "2018-10-31", "layers", "/versions"}:                           s.listLayerVersions,
		{"POST", "2018-10-31", "layers", "/versions"}:                          s.publishLayer,
		{"GET", "2018-10-31", "layers", "/versions/"}:                          s.getLayer,
		{"DELETE", "2018-10-31", "layers", "/versions/"}:                       s.deleteLayer,
		{"GET", "2018-10-31", "layers", "/versions//policy"}:                   s.getLayerPolicy,
		{"POST", "2018-10-31", "layers", "/versions//policy"}:                  s.addLayerPermission,
		{"DELETE", "2018-10-31", "layers", "/versions//policy/"}:               s.removeLayerPermission,
		{"PUT", "2021-07-20", "functions", "/runtime-management-config"}:       s.putRuntimeManagement,
		{"GET", "2021-07-20", "functions", "/runtime-management-config"}:       s.getRuntimeManagement,
		{"PUT", "2024-08-31", "functions", "/recursion-config"}:                s.putRecursion,
		{"GET", "2024-08-31", "functions", "/recursion-config"}:                s.getRecursion,
		{"GET", "2020-06-30", "functions", "/code-signing-config"}:             s.getFunctionSigning,
		{"PUT", "2020-06-30", "functions", "/code-signing-config"}:             s.putFunctionSigning,
		{"DELETE", "2020-06-30", "functions", "/code-signing-config"}:          s.deleteFunctionSigning,
		{"POST", "2020-04-22", "code-signing-configs", ""}:                     s.createSigning,
		{"GET", "2020-04-22", "code-signing-configs", ""}:                      s.listSigning,
		{"GET", "2020-04-22", "code-signing-configs", "/"}:                     s.getSigning,
		{"PUT", "2020-04-22", "code-signing-configs", "/"}:                     s.updateSigning,
		{"DELETE", "2020-04-22", "code-signing-configs", "/"}:                  s.deleteSigning,
		{"GET", "2020-04-22", "code-signing-configs", "/functions"}:            s.listSigned,
		{"POST", "2015-03-31", "functions", "/policy"}:                         s.addPermission,
		{"GET", "2015-03-31", "functions", "/policy"}:                          s.getPolicy,
		{"DELETE", "2015-03-31", "functions", "/policy/"}:                      s.removePermission,
		{"POST", "2021-10-31", "functions", "/url"}:                            s.createURL,
		{"GET", "2021-10-31", "functions", "/url"}:                             s.getURL,
		{"PUT", "2021-10-31", "functions", "/url"}:                             s.updateURL,
		{"DELETE", "2021-10-31", "functions", "/url"}:                          s.deleteURL,
		{"GET", "2021-10-31", "functions", "/urls"}:                            s.listURLs,
		{"PUT", "2019-09-25", "functions", "/event-invoke-config"}:             s.putInvokeConfig,
		{"POST", "2019-09-25", "functions", "/event-invoke-config"}:            s.updateInvokeConfig,
		{"GET", "2019-09-25", "functions", "/event-invoke-config"}:             s.getInvokeConfig,
		{"DELETE", "2019-09-25", "functions", "/event-invoke-config"}:          s.deleteInvokeConfig,
		{"GET", "2019-09-25", "functions", "/event-invoke-config/"}:            s.listInvokeConfigs,
		{"POST", "2015-03-31", "event-source-mappings", ""}:                    s.createMapping,
		{"GET", "2015-03-31", "event-source-mappings", ""}:                     s.listMappings,
		{"GET", "2015-03-31", "event-source-mappings", "/"}:                    s.getMapping,
		{"PUT", "2015-03-31", "event-source-mappings", "/"}:                    s.updateMapping,
		{"DELETE", "2015-03-31", "event-source-mappings", "/"}:                 s.deleteMapping,
		{"GET", codePath, "code", "/"}:                                         s.downloadCode,
	}
}

// pathValues name the values of a path after its target, in their order.
var pathValues = []string{"name", "sub"}

// codePath is where GetFunction's Code.Location points; on AWS that is a presigned URL of S3.
const codePath = "_emulator"

// API answers the operations of Lambda.
func (s *Service) API() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", wire.NewID())
	handle, target := s.find(r)
	if handle == nil {
		writeError(w, unknownOperation(r))
		return
	}
	if err := handle(w, r, target); err != nil {
		var known *apiError
		if !errors.As(err, &known) {
			s.opts.Logger.Error("request went wrong", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		writeError(w, err)
	}
}

func (s *Service) find(r *http.Request) (operation, string) {
	if r.Header.Get("X-Amz-Target") != "" {
		return nil, "" // an operation of a JSON protocol: not Lambda's
	}
	key, target, values, ok := parseRoute(r.Method, r.URL.EscapedPath())
	if !ok {
		return nil, ""
	}
	for i, value := range values[:min(len(values), len(pathValues))] {
		r.SetPathValue(pathValues[i], value)
	}
	return s.operations[key], target
}

// parseRoute splits /VERSION/RESOURCE[/TARGET[/WORD[/VALUE[/WORD[/VALUE]]]]]. Target and values may hold escaped characters; ARNs come so. In
// the route's rest the values are left empty: /aliases/NAME is "/aliases/".
func parseRoute(method, path string) (key route, target string, values []string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) < 2 {
		return route{}, "", nil, false
	}
	key = route{method: method, version: parts[0], resource: parts[1]}
	if len(parts) == 2 || parts[2] == "" && len(parts) == 3 {
		return key, "", nil, true
	}
	target, err := url.PathUnescape(parts[2])
	if err != nil || target == "" {
		return route{}, "", nil, false
	}
	var rest strings.Builder
	for i, part := range parts[3:] {
		rest.WriteByte('/')
		if i%2 == 0 {
			rest.WriteString(part)
			continue
		}
		value, err := url.PathUnescape(part)
		if err != nil || value == "" {
			return route{}, "", nil, false
		}
		values = append(values, value)
	}
	key.rest = "/" + strings.TrimPrefix(rest.String(), "/")
	return key, target, values, true
}

// readJSON reads a request's body; operation is its name, for the error.
func readJSON(r *http.Request, operation string, into any) error {
	data, err := readBody(r, maxRequest-1)
	if errors.Is(err, errExceeded) {
		return tooLarge("Request must be smaller than %d bytes for the %s operation", maxRequest, operation)
	}
	if err != nil {
		return malformed(err)
	}
	if len(data) == 0 {
		return nil
	}
	if c, ok := into.(coded); ok {
		var zip []byte
		if data, zip = cutZip(data); zip != nil {
			defer func() {
				if code := c.code(); code != nil && code.ZipFile != nil {
					code.ZipFile = zip
				}
			}()
		}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return malformed(err)
	}
	return nil
}
