package lambda

import (
	"cmp"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// layer is a Lambda layer as it is kept. It stays when its last version is deleted, since no number is given twice (AWS).
type layer struct {
	Name      string
	Published int // the number given last
	Versions  map[int]*layerVersion
}

// layerVersion is replaced, never changed in place.
type layerVersion struct {
	Number        int
	Description   string
	Created       string
	Runtimes      []string // nil where they were not given, which is told apart from empty (AWS)
	Architectures []string
	License       string
	Zip           string // SHA-256 in hex
	Size          int64
	Unpacked      int64
	Policy        *policy `json:",omitempty"`
}

// layers are all layers, by name.
type layers struct{ *keep.Documents[layer] }

func openLayers(dir string) (layers, error) {
	all, err := keep.OpenDocuments(filepath.Join(dir, "layers"), func(l *layer) string { return l.Name })
	return layers{all}, err
}

// use adds the zips of every layer.
func (ls layers) use(used map[string]bool) {
	ls.Lock()
	defer ls.Unlock()
	for _, l := range ls.All {
		for _, v := range l.Versions {
			used[v.Zip] = true
		}
	}
}

// size is that of all versions' zips.
func (ls layers) size() (sum int64) {
	ls.Lock()
	defer ls.Unlock()
	for _, l := range ls.All {
		for _, v := range l.Versions {
			sum += v.Size
		}
	}
	return sum
}

// find returns a layer version, nil if there is none. The caller holds the lock.
func (ls layers) find(q layerRef) *layerVersion {
	if l := ls.All[q.name]; l != nil {
		return l.Versions[q.number]
	}
	return nil
}

// edit replaces a layer version by what change returns, nil to remove it. A version that is not there is missing's error.
func (ls layers) edit(q layerRef, missing func() error, change func(v layerVersion) (*layerVersion, error)) error {
	ls.Lock()
	defer ls.Unlock()
	v := ls.find(q)
	if v == nil {
		return missing()
	}
	changed, err := change(*v)
	if err != nil {
		return err
	}
	next := *ls.All[q.name]
	next.Versions = maps.Clone(next.Versions)
	if next.Versions[q.number] = changed; changed == nil {
		delete(next.Versions, q.number)
	}
	return ls.Put(q.name, &next)
}

// add publishes a version of a layer, made if need be.
func (ls layers) add(name string, v layerVersion) (*layerVersion, error) {
	ls.Lock()
	defer ls.Unlock()
	next := layer{Name: name}
	if l := ls.All[name]; l != nil {
		next = *l
	}
	next.Published++
	v.Number = next.Published
	next.Versions = maps.Clone(next.Versions)
	if next.Versions == nil {
		next.Versions = map[int]*layerVersion{}
	}
	next.Versions[v.Number] = &v
	return &v, ls.Put(name, &next)
}

// stack gives the function the layers of these ARNs. f must be a copy, or new; the caller holds s.mu, which keeps what it takes from being
// swept.
func (s *Service) stack(f *function, arns []string) error {
	if len(arns) > maxLayers {
		return invalidParameter("Cannot reference more than %d layers.", maxLayers)
	}
	f.Config.Layers, f.Layers, f.LayersUnpacked = nil, nil, 0
	s.layers.Lock()
	defer s.layers.Unlock()
	seen := map[string]string{}
	for _, arn := range arns {
		q := parseLayerARN(arn)
		if err := s.usable(q, arn); err != nil {
			return err
		}
		if other := seen[q.name]; other != "" {
			return invalidParameter("Two different versions of the same layer are not allowed to be referenced in the same function. %s and %s "+
				"are versions of the same layer.", other, arn)
		}
		seen[q.name] = arn
		v := s.layers.find(q)
		if v == nil {
			return invalidParameter("Layer version %s does not exist.", arn)
		}
		f.Config.Layers = append(f.Config.Layers, layerUse{Arn: arn, CodeSize: v.Size})
		f.Layers = append(f.Layers, v.Zip)
		f.LayersUnpacked += v.Unpacked
	}
	return f.fits()
}

// usable refuses layers of other regions and accounts.
func (s *Service) usable(q layerRef, arn string) error {
	switch {
	case q.region != s.opts.Region:
		return invalidParameter("Layers are not in the same region as the function. Layers are expected to be in region %s.", s.opts.Region)
	case q.account != s.opts.Account:
		return &apiError{status: http.StatusForbidden, code: "AccessDeniedException", plain: true, message: "User is not authorized to perform: " +
			"lambda:GetLayerVersion on resource: " + arn + " because no resource-based policy allows the lambda:GetLayerVersion action"}
	}
	return nil
}

// fits refuses code that is too large together with its layers.
func (c *code) fits() error {
	if sum := c.Unpacked + c.LayersUnpacked; len(c.Layers) > 0 && sum > sandbox.MaxUnpacked {
		return invalidParameter("Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %d bytes.",
			sandbox.MaxUnpacked, sum)
	}
	return nil
}

// layerRef names a layer version.
type layerRef struct {
	name            string
	number          int
	region, account string
}

// parseLayerARN reads an ARN that matches layerVersionRegexp.
func parseLayerARN(arn string) layerRef {
	parts := strings.Split(arn, ":")
	if len(parts) < 8 {
		return layerRef{} // AWS's own layers, arn:aws:lambda:::awslayer:NAME: none is here
	}
	number, _ := strconv.Atoi(parts[7]) // digits; too many of them are no version either
	return layerRef{region: parts[3], account: parts[4], name: parts[6], number: number}
}

func (s *Service) layerARN(name string) string {
	return "arn:aws:lambda:" + s.opts.Region + ":" + s.opts.Account + ":layer:" + name
}

func (s *Service) layerVersionARN(q layerRef) string {
	return s.layerARN(q.name) + ":" + strconv.Itoa(q.number)
}

// newest returns the last version that matches, nil if none does.
func (l *layer) newest(match func(*layerVersion) bool) *layerVersion {
	for _, v := range l.sorted() {
		if match(v) {
			return v
		}
	}
	return nil
}

// sorted returns the versions, the newest first (AWS).
func (l *layer) sorted() []*layerVersion {
	return slices.SortedFunc(maps.Values(l.Versions), func(a, b *layerVersion) int { return cmp.Compare(b.Number, a.Number) })
}

// document is a version as lists tell it.
func (s *Service) layerVersionDocument(name string, v *layerVersion) map[string]any {
	out := map[string]any{
		"LayerVersionArn": s.layerVersionARN(layerRef{name: name, number: v.Number}), "Version": v.Number, "Description": v.Description,
		"CreatedDate": v.Created,
	}
	if v.Runtimes != nil {
		out["CompatibleRuntimes"] = v.Runtimes
	}
	if v.Architectures != nil {
		out["CompatibleArchitectures"] = v.Architectures
	}
	if v.License != "" {
		out["LicenseInfo"] = v.License
	}
	return out
}

// layerDocument is a version as Publish and Get tell it.
func (s *Service) layerDocument(host, name string, v *layerVersion) map[string]any {
	out := s.layerVersionDocument(name, v)
	out["LayerArn"] = s.layerARN(name)
	out["Content"] = map[string]any{"Location": zipURL(host, v.Zip), "CodeSha256": codeSha256(v.Zip), "CodeSize": v.Size}
	return out
}

func (s *Service) publishLayer(w http.ResponseWriter, r *http.Request, target string) error {
	var in publishLayerRequest
	if err := readJSON(r, "PublishLayerVersion", &in); err != nil {
		return err
	}
	q, err := s.layerName(target, in.check)
	if err != nil {
		return err
	}
	zip, err := s.takeCode(r.Context(), &in.Content.codeSource)
	if err != nil {
		return err
	}
	defer zip.release()
	v, err := s.layers.add(q.name, layerVersion{
		Description: in.Description, Created: timestamp(time.Now()), Runtimes: in.CompatibleRuntimes, Architectures: in.CompatibleArchitectures,
		License: in.LicenseInfo, Zip: zip.hash, Size: zip.size, Unpacked: zip.unpacked,
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, s.layerDocument(r.Host, q.name, v))
	return nil
}
