package lambda

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

func (s *Service) publishVersion(w http.ResponseWriter, r *http.Request, target string) error {
	var in struct {
		CodeSha256  string
		Description *string
		RevisionId  string
	}
	if err := readJSON(r, "PublishVersion", &in); err != nil {
		return err
	}
	var c constraints
	if in.Description != nil {
		c.length("description", *in.Description, 0, maxDescription)
	}
	if err := c.err(); err != nil {
		return err
	}
	q, err := s.unqualified(target)
	if err != nil {
		return err
	}
	var out configuration
	err = s.edit(q, func(f *function) error {
		if err := f.updatable(in.RevisionId); err != nil {
			return err
		}
		if in.CodeSha256 != "" && in.CodeSha256 != f.Config.CodeSha256 {
			return invalidParameter("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the "+
				"CodeSHA256 in $LATEST.", in.CodeSha256, f.Config.CodeSha256)
		}
		v, fresh := f.publish(in.Description)
		out = v.Config
		if !fresh {
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, out)
	return nil
}

// publish makes $LATEST a version of its own, or returns the last one where nothing has changed since. f must be a copy.
func (f *function) publish(description *string) (v *version, fresh bool) {
	if last := f.Versions[strconv.Itoa(f.Published)]; last != nil && f.same(last) {
		return last, false
	}
	v = f.number()
	set(&v.Config.Description, description)
	if v.Config.State == stateActive {
		v.Config.LastUpdateStatus = updateSuccessful
		v.bringUp()
	}
	f.Config.RevisionId = wire.NewID()
	return v, true
}

// number takes $LATEST as it is into the published versions.
func (f *function) number() *version {
	f.Published++
	number := strconv.Itoa(f.Published)
	v := &version{Config: f.Config.clone(), code: f.code, Was: f.Config.Description}
	v.Config.Version = number
	v.Config.FunctionArn += ":" + number
	v.Config.RevisionId = wire.NewID()
	if v.Config.SnapStart.ApplyOn == snapStartPublished {
		v.Config.SnapStart.OptimizationStatus = "On"
	}
	if f.Versions == nil {
		f.Versions = map[string]*version{}
	}
	f.Versions[number] = v
	return v
}

const snapStartPublished = "PublishedVersions"

// bringUp makes what the version is now what invocations run.
func (v *version) bringUp() { v.Live = &live{ID: wire.NewID(), code: v.code, Config: v.Config.clone()} }

// same reports whether a published version is still what $LATEST is.
func (f *function) same(v *version) bool {
	return f.Config.Description == v.Was && bytes.Equal(f.version.content(), v.content())
}

// content is what makes a version another one, beside the description that it was published from.
func (v *version) content() []byte {
	c := v.Config.listed()
	c.FunctionArn, c.Version, c.RevisionId, c.LastModified, c.Description = "", "", "", "", ""
	c.SnapStart.OptimizationStatus = ""
	data, err := json.Marshal(struct {
		Config configuration
		Code   code
	}{c, v.code})
	if err != nil {
		return nil // it always encodes
	}
	return data
}

// updatable says why the function cannot be changed or published now. revision is what the request says of it, if anything.
func (f *function) updatable(revision string) error {
	switch {
	case f.Config.State == statePending:
		return conflict("The operation cannot be performed at this time. The function is currently in the following state: %s", statePending)
	case f.Config.LastUpdateStatus == updateInProgress:
		return conflict("The operation cannot be performed at this time. An update is in progress for resource: %s", f.Config.FunctionArn)
	case revision != "" && revision != f.Config.RevisionId:
		return preconditionFailed()
	}
	return nil
}

func (s *Service) listVersions(w http.ResponseWriter, r *http.Request, target string) error {
	return s.listOf(r, target, s.missing, func(f *function, p page) {
		list := []configuration{}
		for _, v := range f.versions() {
			list = append(list, v.qualified(s.arn(f.Config.FunctionName), v.Config.Version).listed())
		}
		list, next := cut(list, p, func(c configuration) string { return c.Version })
		writePage(w, "Versions", list, next)
	})
}

// deleteVersion removes a published version. Deleting one that is not there is no error (AWS).
func (f *function) deleteVersion(number string) error {
	for _, a := range f.Aliases {
		if a.Version == number || a.Weights[number] != 0 {
			return conflict("Version %s is currently used by alias %s.", number, a.Name)
		}
	}
	delete(f.Versions, number)
	delete(f.Attached, number)
	return nil
}
