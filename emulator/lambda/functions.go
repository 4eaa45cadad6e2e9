package lambda

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

func (s *Service) createFunction(w http.ResponseWriter, r *http.Request, _ string) error {
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
	zip, err := s.takeCode(r.Context(), in.Code)
	if err != nil {
		return err
	}
	defer zip.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] != nil {
		return conflict("Function already exist: %s", name)
	}
	f := &function{version: version{Config: s.newConfiguration(name)}, Tags: in.Tags, Change: wire.NewID()}
	f.Config.PackageType = cmp.Or(in.PackageType, packageZip)
	f.apply(&in.settings, variables)
	if len(in.Architectures) > 0 {
		f.Config.Architectures = in.Architectures
	}
	f.adopt(zip)
	if err := s.stack(f, in.Layers); err != nil {
		return err
	}
	out := f.Config
	if in.Publish { // it answers with the version's number on what is $LATEST otherwise (AWS)
		out.Version = f.number().Config.Version
	}
	if err := s.store.save(f); err != nil {
		return err
	}
	s.functions[name] = f
	s.settleLater(name, f.Change)
	writeJSON(w, http.StatusCreated, out)
	return nil
}

// adopt gives the function its code.
func (f *function) adopt(zip *parcel) {
	f.Zip, f.Unpacked = zip.hash, zip.unpacked
	f.Config.CodeSha256, f.Config.CodeSize = codeSha256(zip.hash), zip.size
	f.ImageURI, f.ImageName, f.ImageDigest = zip.uri, zip.image.Name, zip.image.Digest
	if f.ImageDigest != "" {
		f.Config.CodeSha256 = f.ImageDigest // in hex, unlike that of a zip (AWS)
	}
}

// checkCreate returns the new function's name.
func (s *Service) checkCreate(in *createRequest) (string, error) {
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
		c.oneOf("packageType", in.PackageType, packageZip, packageImage)
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
	if err := checkPackage(in.PackageType, in.Code, &in.settings, false); err != nil {
		return "", err
	}
	if in.PackageType != packageImage && (in.Runtime == nil || in.Handler == nil) {
		return "", invalidParameter("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if err := in.service(); err != nil {
		return "", err
	}
	return target.name, checkTags(in.Tags)
}

func checkArchitectures(c *constraints, list []string) {
	value := "[" + strings.Join(list, ", ") + "]"
	if len(list) > 1 {
		c.failed("architectures", value, "Member must have length less than or equal to 1")
	}
	c.architectures("architectures", list)
}

func (s *Service) newConfiguration(name string) configuration {
	return configuration{
		FunctionName:     name,
		FunctionArn:      s.arn(name),
		Version:          latest,
		Timeout:          3,
		MemorySize:       minMemory,
		LastModified:     timestamp(time.Now()),
		RevisionId:       wire.NewID(),
		State:            statePending,
		StateReason:      beingCreated,
		StateReasonCode:  codeCreating,
		Architectures:    []string{"x86_64"},
		EphemeralStorage: storage{Size: minStorage},
		TracingConfig:    tracing{Mode: "PassThrough"},
		SnapStart:        snapStart{ApplyOn: "None", OptimizationStatus: "Off"},
		LoggingConfig:    logging{LogFormat: "Text", LogGroup: "/aws/lambda/" + name},
	}
}

func (s *Service) getFunction(w http.ResponseWriter, r *http.Request, target string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, v, config, err := s.lookup(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	out := map[string]any{"Configuration": config, "Code": v.location(r.Host)}
	if len(f.Tags) > 0 {
		out["Tags"] = f.Tags
	}
	if f.Reserved != nil {
		out["Concurrency"] = map[string]int{"ReservedConcurrentExecutions": *f.Reserved}
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (c *code) location(host string) map[string]string {
	if c.ImageName != "" {
		return map[string]string{"RepositoryType": "ECR", "ImageUri": c.ImageURI, "ResolvedImageUri": c.ImageName}
	}
	return map[string]string{"RepositoryType": "S3", "Location": zipURL(host, c.Zip)}
}

// zipURL is where a client who reached us at host gets a zip.
func zipURL(host, hash string) string {
	location := url.URL{Scheme: "http", Host: host, Path: "/" + codePath + "/code/" + hash + ".zip"}
	return location.String()
}

func (s *Service) getConfiguration(w http.ResponseWriter, r *http.Request, target string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, config, err := s.lookup(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, config)
	return nil
}

// lookup finds a version for reading, with its configuration as it is told of the qualifier that was asked for. The caller holds s.mu.
func (s *Service) lookup(target, qualifier string) (*function, *version, configuration, error) {
	q, err := s.named(target, qualifier)
	if err != nil {
		return nil, nil, configuration{}, err
	}
	f := s.functions[q.name]
	if f == nil || f.find(q.qualifier) == nil {
		return nil, nil, configuration{}, s.missing(q)
	}
	v := f.find(q.qualifier)
	return f, v, v.qualified(s.arn(q.name), q.qualifier), nil
}

func (s *Service) deleteFunction(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.named(target, r.URL.Query().Get("Qualifier"))
	if err != nil {
		return err
	}
	switch {
	case q.qualifier == latest:
		return invalidParameter("$LATEST version cannot be deleted without deleting the function.")
	case q.qualifier != "" && aliasRegexp.MatchString(q.qualifier):
		return invalidParameter("Deletion of aliases is not currently supported.")
	case q.qualifier != "":
		err = s.edit(ref{name: q.name}, func(f *function) error { return f.deleteVersion(q.qualifier) })
	default:
		err = s.remove(q)
	}
	if err != nil {
		return err
	}
	s.fleet.retire(q.name, q.qualifier, "")
	s.closeURLs(q.name)
	s.sweepCode()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) remove(q ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[q.name] == nil {
		return s.missing(q)
	}
	if err := s.store.remove(q.name); err != nil {
		return err
	}
	delete(s.functions, q.name)
	return nil
}

func (s *Service) listFunctions(w http.ResponseWriter, r *http.Request, _ string) error {
	var c constraints
	all := r.URL.Query().Get("FunctionVersion")
	if all != "" {
		c.oneOf("functionVersion", all, "ALL")
	}
	if err := c.err(); err != nil {
		return err
	}
	p, err := readPage(r)
	if err != nil {
		return err
	}
	list, next := cut(s.list(all != ""), p, func(c configuration) string { return c.FunctionArn })
	writePage(w, "Functions", list, next)
	return nil
}

// list returns all functions in the order of their names; with all, every version, by its qualified ARN.
func (s *Service) list(all bool) []configuration {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]configuration, 0, len(s.functions))
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		f := s.functions[name]
		if !all {
			list = append(list, f.Config.listed())
			continue
		}
		for _, v := range f.versions() {
			list = append(list, v.qualified(s.arn(name), v.Config.Version).listed())
		}
	}
	return list
}
