package lambda

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// noLayer is the error for a layer version that is not there.
func noLayer() error { return notFound("The resource you requested does not exist.") }

func (s *Service) getLayer(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.layerVersion(r, target, nil)
	if err != nil {
		return err
	}
	return s.writeLayer(w, r, q)
}

func (s *Service) writeLayer(w http.ResponseWriter, r *http.Request, q layerRef) error {
	s.layers.Lock()
	v := s.layers.find(q)
	s.layers.Unlock()
	if v == nil {
		return noLayer()
	}
	writeJSON(w, http.StatusOK, s.layerDocument(r.Host, q.name, v))
	return nil
}

// deleteLayer does not mind a version that is not there (AWS). Functions keep what they have of it.
func (s *Service) deleteLayer(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.layerVersion(r, target, nil)
	if err != nil {
		return err
	}
	none := func() error { return nil }
	if err := s.layers.edit(q, none, func(layerVersion) (*layerVersion, error) { return nil, nil }); err != nil {
		return err
	}
	s.sweepCode()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// layerFilter reads what lists of layers are narrowed by.
func layerFilter(query url.Values) (func(*layerVersion) bool, error) {
	runtime, architecture := query.Get("CompatibleRuntime"), query.Get("CompatibleArchitecture")
	var c constraints
	if runtime != "" {
		c.oneOf("compatibleRuntime", runtime, layerRuntimes...)
	}
	if architecture != "" {
		c.oneOf("compatibleArchitecture", architecture, "x86_64", "arm64")
	}
	return func(v *layerVersion) bool {
		return (runtime == "" || slices.Contains(v.Runtimes, runtime)) &&
			(architecture == "" || slices.Contains(v.Architectures, architecture))
	}, c.err()
}

// listLayers also answers GetLayerVersionByArn, which is told apart by a parameter.
func (s *Service) listLayers(w http.ResponseWriter, r *http.Request, _ string) error {
	query := r.URL.Query()
	if query.Get("find") == "LayerVersion" {
		return s.getLayerByARN(w, r, query.Get("Arn"))
	}
	match, err := layerFilter(query)
	if err != nil {
		return err
	}
	p, err := readPage(r)
	if err != nil {
		return err
	}
	s.layers.Lock()
	defer s.layers.Unlock()
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.layers.All)) {
		if v := s.layers.All[name].newest(match); v != nil {
			list = append(list, map[string]any{
				"LayerName": name, "LayerArn": s.layerARN(name), "LatestMatchingVersion": s.layerVersionDocument(name, v),
			})
		}
	}
	list, next := cut(list, p, func(l map[string]any) string { return l["LayerName"].(string) }) //nolint:errcheck // set above
	writePage(w, "Layers", list, next)
	return nil
}

func (s *Service) getLayerByARN(w http.ResponseWriter, r *http.Request, arn string) error {
	var c constraints
	c.length("arn", arn, 1, 140)
	c.pattern("arn", arn, layerVersionRegexp, layerVersionPattern)
	if err := c.err(); err != nil {
		return err
	}
	q := parseLayerARN(arn)
	if err := s.usable(q, arn); err != nil {
		return err
	}
	return s.writeLayer(w, r, q)
}

func (s *Service) listLayerVersions(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.layerName(target, nil)
	if err != nil {
		return err
	}
	match, err := layerFilter(r.URL.Query())
	if err != nil {
		return err
	}
	p, err := readPage(r)
	if err != nil {
		return err
	}
	s.layers.Lock()
	defer s.layers.Unlock()
	var versions []*layerVersion
	if l := s.layers.All[q.name]; l != nil {
		versions = slices.DeleteFunc(l.sorted(), func(v *layerVersion) bool { return !match(v) })
	}
	versions, next := cut(versions, p, func(v *layerVersion) string { return strconv.Itoa(v.Number) })
	list := make([]any, len(versions))
	for i, v := range versions {
		list[i] = s.layerVersionDocument(q.name, v)
	}
	writePage(w, "LayerVersions", list, next)
	return nil
}
