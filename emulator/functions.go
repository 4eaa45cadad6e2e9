package emulator

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) createFunction(w http.ResponseWriter, r *http.Request, _ string) error {
	var in createRequest
	if err := readJSON(r, "CreateFunction", &in); err != nil {
		return err
	}
	name, err := s.checkCreate(&in)
	if err != nil {
		return err
	}
	variables, err := in.variables()
	if err != nil {
		return err
	}
	zip, err := takeCode(in.Code)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] != nil {
		return conflict("Function already exist: %s", name)
	}
	f := &function{Config: s.newConfiguration(name), Tags: in.Tags}
	f.apply(&in.settings, variables)
	if len(in.Architectures) > 0 {
		f.Config.Architectures = in.Architectures
	}
	if err := s.adopt(f, zip); err != nil {
		return err
	}
	s.functions[name] = f
	s.settleLater(name, f.Config.RevisionId)
	writeJSON(w, http.StatusCreated, f.Config)
	return nil
}

// adopt gives the function its code and saves both. The caller holds s.mu, which keeps the code from being swept before.
func (s *Server) adopt(f *function, zip []byte) error {
	hash, err := s.store.putZip(zip)
	if err != nil {
		return err
	}
	f.Zip = hash
	f.Config.CodeSha256, f.Config.CodeSize = codeSha256(hash), int64(len(zip))
	return s.store.save(f)
}

// checkCreate returns the new function's name.
func (s *Server) checkCreate(in *createRequest) (string, error) {
	var c constraints
	c.required("functionName", in.FunctionName != nil)
	c.required("role", in.Role != nil)
	c.required("code", in.Code != nil)
	var target ref
	if in.FunctionName != nil {
		c.length("functionName", *in.FunctionName, 1, maxCreateName)
		c.pattern("functionName", *in.FunctionName, createNameRegexp, createNamePattern)
		target, _ = parseRef(*in.FunctionName, createNameRegexp)
	}
	checkArchitectures(&c, in.Architectures)
	if in.PackageType != "" {
		c.oneOf("packageType", in.PackageType, "Zip", "Image")
	}
	in.model(&c)
	if err := c.err(); err != nil {
		return "", err
	}
	if len(target.name) > maxName {
		return "", invalidParameter("1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must have "+
			"length less than or equal to %d", target.name, maxName)
	}
	if err := s.reachable(target); err != nil {
		return "", err
	}
	if in.PackageType == "Image" || in.Code.ImageUri != "" {
		return "", invalidParameter("The emulator runs functions of package type Zip only.")
	}
	if in.Runtime == nil || in.Handler == nil {
		return "", invalidParameter("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if err := in.service(); err != nil {
		return "", err
	}
	if in.Publish {
		return "", invalidParameter("The emulator does not publish versions: Publish must be false.")
	}
	return target.name, checkTags(in.Tags)
}

func checkArchitectures(c *constraints, list []string) {
	value := "[" + strings.Join(list, ", ") + "]"
	if len(list) > 1 {
		c.failed("architectures", value, "Member must have length less than or equal to 1")
	}
	for _, a := range list {
		if a != "x86_64" && a != "arm64" {
			c.failed("architectures", value,
				"Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]")
			return
		}
	}
}

func (s *Server) newConfiguration(name string) configuration {
	return configuration{
		FunctionName:     name,
		FunctionArn:      s.arn(name),
		Version:          latest,
		Timeout:          3,
		MemorySize:       minMemory,
		LastModified:     timestamp(time.Now()),
		RevisionId:       newID(),
		State:            statePending,
		StateReason:      beingCreated,
		StateReasonCode:  codeCreating,
		PackageType:      "Zip",
		Architectures:    []string{"x86_64"},
		EphemeralStorage: storage{Size: minStorage},
		TracingConfig:    tracing{Mode: "PassThrough"},
		SnapStart:        snapStart{ApplyOn: "None", OptimizationStatus: "Off"},
		LoggingConfig:    logging{LogFormat: "Text", LogGroup: "/aws/lambda/" + name},
	}
}

func (s *Server) getFunction(w http.ResponseWriter, r *http.Request, target string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.lookup(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	location := url.URL{Scheme: "http", Host: r.Host, Path: "/" + codePath + "/code/" + f.Zip + ".zip"}
	out := map[string]any{
		"Configuration": f.Config,
		"Code":          map[string]string{"RepositoryType": "S3", "Location": location.String()},
	}
	if len(f.Tags) > 0 {
		out["Tags"] = f.Tags
	}
	if f.Reserved != nil {
		out["Concurrency"] = map[string]int{"ReservedConcurrentExecutions": *f.Reserved}
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) getConfiguration(w http.ResponseWriter, r *http.Request, target string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.lookup(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, f.Config)
	return nil
}

// lookup finds a function for reading. The caller holds s.mu.
func (s *Server) lookup(target, qualifier string) (*function, error) {
	r, err := s.named(target, qualifier)
	if err != nil {
		return nil, err
	}
	f := s.functions[r.name]
	if f == nil || r.qualifier != "" && r.qualifier != latest {
		return nil, s.missing(r)
	}
	if r.qualifier != "" { // asked for by qualifier, it answers so (AWS: qualified ARN)
		qualified := *f
		qualified.Config.FunctionArn += ":" + latest
		return &qualified, nil
	}
	return f, nil
}

func (s *Server) deleteFunction(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	switch {
	case q.qualifier == latest:
		return invalidParameter("$LATEST version cannot be deleted without deleting the function.")
	case q.qualifier != "" && aliasRegexp.MatchString(q.qualifier):
		return invalidParameter("Deletion of aliases is not currently supported.")
	}
	if err := s.remove(q); err != nil {
		return err
	}
	if q.qualifier == "" {
		s.sweepCode()
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// aliasRegexp tells aliases from versions, which are numbers.
var aliasRegexp = whole(`[a-zA-Z0-9-_]*[a-zA-Z-_][a-zA-Z0-9-_]*`)

func (s *Server) remove(q ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[q.name] == nil {
		q.qualifier = ""
		return s.missing(q)
	}
	if q.qualifier != "" {
		return nil // there are no versions, and deleting one that is not there is no error
	}
	if err := s.store.remove(q.name); err != nil {
		return err
	}
	delete(s.functions, q.name)
	s.fleet.retire(q.name, "")
	return nil
}

// maxPage is what ListFunctions answers at most, whatever MaxItems asks for.
const maxPage = 50

func (s *Server) listFunctions(w http.ResponseWriter, r *http.Request, _ string) error {
	query := r.URL.Query()
	var c constraints
	if v := query.Get("FunctionVersion"); v != "" {
		c.oneOf("functionVersion", v, "ALL")
	}
	size := maxPage
	if v := query.Get("MaxItems"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			return malformed(err)
		}
		c.between("maxItems", &n, 1, 10000)
		size = min(n, maxPage)
	}
	if err := c.err(); err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get("Marker"))
	if err != nil {
		return invalidParameter("Invalid Marker")
	}
	page, next := s.page(string(after), size)
	out := map[string]any{"Functions": page}
	if next != "" {
		out["NextMarker"] = base64.RawURLEncoding.EncodeToString([]byte(next))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// page returns functions in the order of their names, from the one after after on; next is the last one's name if there are more.
func (s *Server) page(after string, size int) (page []configuration, next string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, len(s.functions))
	for name := range s.functions {
		if after == "" || name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	page = []configuration{}
	for i, name := range names {
		if i == size {
			return page, names[i-1]
		}
		page = append(page, s.functions[name].Config.listed())
	}
	return page, ""
}
