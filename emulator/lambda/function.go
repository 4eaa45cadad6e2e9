package lambda

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// function is one function as it is kept, all of it stored. What its maps point to is replaced, never changed in place.
type function struct {
	version                          // $LATEST
	Tags      map[string]string      // of all versions together
	Reserved  *int                   // reserved concurrency; nil for none
	Loops     string                 `json:",omitempty"` // what becomes of recursive loops; empty for what is usual
	Signing   string                 `json:",omitempty"` // ARN of the code signing configuration
	Change    string                 `json:",omitempty"` // the creation or update last begun: what settles must still be it
	Published int                    `json:",omitempty"` // the number given to a version last; none is given twice
	Versions  map[string]*version    `json:",omitempty"` // published, by number
	Aliases   map[string]*alias      `json:",omitempty"` // by name
	Attached  map[string]attachments `json:",omitempty"` // by qualifier: $LATEST, a version's number or an alias
}

// version is one version of a function, $LATEST included.
type version struct {
	Config configuration // what the API tells
	code
	Live *live  // what invocations run; nil before the first time that the version became active
	Was  string `json:",omitempty"` // of a published version: the description of $LATEST at that time, which its own need not be
}

// code is what a version runs.
type code struct {
	Zip            string   `json:",omitempty"` // SHA-256 in hex; empty for an image
	Unpacked       int64    `json:",omitempty"` // size of the zip's files
	Layers         []string `json:",omitempty"` // SHA-256 of the layers' zips in hex, in the order of the configuration
	LayersUnpacked int64    `json:",omitempty"` // size of the layers' files, together
	ImageURI       string   `json:",omitempty"` // as it was asked for
	ImageName      string   `json:",omitempty"` // as it was resolved: registry/repository@sha256:...
	ImageDigest    string   `json:",omitempty"` // SHA-256 in hex
}

// live is a version that has been brought up.
type live struct {
	ID string // changes with code and configuration: sandboxes of another ID are stale
	code
	Config configuration
}

// alias is a name for a version, or for two by weight.
type alias struct {
	Name        string
	Version     string // FunctionVersion
	Description string
	RevisionID  string
	Weights     map[string]float64 `json:",omitempty"` // share of the other version
}

// attachments are what belongs to one qualifier of a function.
type attachments struct {
	Provisioned *provisioned       `json:",omitempty"`
	Policy      *policy            `json:",omitempty"`
	URL         *functionURL       `json:",omitempty"`
	Async       *invokeConfig      `json:",omitempty"`
	Runtime     *runtimeManagement `json:",omitempty"`
}

func (a attachments) empty() bool { return a == attachments{} }

// copy may be changed without changing f, but for what its maps point to.
func (f *function) copy() *function {
	c := *f
	c.Config = f.Config.clone()
	c.Tags, c.Versions, c.Aliases, c.Attached = maps.Clone(f.Tags), maps.Clone(f.Versions), maps.Clone(f.Aliases), maps.Clone(f.Attached)
	return &c
}

// attach changes what belongs to a qualifier. f must be a copy.
func (f *function) attach(qualifier string, change func(*attachments)) {
	a := f.Attached[qualifier]
	change(&a)
	if a.empty() {
		delete(f.Attached, qualifier)
		return
	}
	if f.Attached == nil {
		f.Attached = map[string]attachments{}
	}
	f.Attached[qualifier] = a
}

func (v *version) unsettled() bool {
	return v.Config.State == statePending || v.Config.LastUpdateStatus == updateInProgress
}

// find returns the version that a qualifier names: a version's number, $LATEST, an alias or nothing, which is $LATEST too. Of an alias with two
// versions it is the main one.
func (f *function) find(qualifier string) *version {
	if qualifier == "" || qualifier == latest {
		return &f.version
	}
	if a := f.Aliases[qualifier]; a != nil {
		return f.find(a.Version)
	}
	return f.Versions[qualifier]
}

// versions returns $LATEST and every published version, in the order of their numbers.
func (f *function) versions() []*version {
	all := make([]*version, 0, len(f.Versions)+1)
	all = append(all, &f.version)
	for _, number := range slices.SortedFunc(maps.Keys(f.Versions), byNumber) {
		all = append(all, f.Versions[number])
	}
	return all
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a) // numbers are ours
	y, _ := strconv.Atoi(b)
	return cmp.Compare(x, y)
}

// hashes are the zips that the code needs.
func (c *code) hashes() []string {
	if c.Zip == "" {
		return c.Layers
	}
	return append([]string{c.Zip}, c.Layers...)
}

// qualified is the configuration as it is told of a qualifier.
func (v *version) qualified(arn, qualifier string) configuration {
	c := v.Config
	c.FunctionArn = arn
	if qualifier != "" {
		c.FunctionArn += ":" + qualifier
	}
	return c
}
