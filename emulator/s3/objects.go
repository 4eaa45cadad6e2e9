package s3

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// kept are the headers of a PutObject that GetObject gives back.
var kept = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}

const userMetadata = "X-Amz-Meta-"

// objectHeader reads what is kept of a request's header.
func objectHeader(h http.Header) map[string]string {
	out := map[string]string{"Content-Type": "binary/octet-stream"}
	for _, name := range kept {
		if value := h.Get(name); value != "" {
			out[name] = value
		}
	}
	var encodings []string
	for encoding := range strings.SplitSeq(out["Content-Encoding"], ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && encoding != "aws-chunked" { // which was for the way only
			encodings = append(encodings, encoding)
		}
	}
	delete(out, "Content-Encoding")
	if len(encodings) > 0 {
		out["Content-Encoding"] = strings.Join(encodings, ",")
	}
	for name, values := range h {
		if strings.HasPrefix(name, userMetadata) {
			out[name] = strings.Join(values, ",")
		}
	}
	return out
}

// maxKey is the length of a key in bytes.
const maxKey = 1024

func (s *Store) putObject(w http.ResponseWriter, r request) error {
	if len(r.key) > maxKey {
		return refuse(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	}
	o := object{Key: r.key, Header: objectHeader(r.Header), Tags: r.Header.Get("X-Amz-Tagging")}
	o, err := s.put(r.bucket, o, newBody(r.Request), func(old *object) error { return writable(r.Header, old) })
	if err != nil {
		return err
	}
	w.Header().Set("ETag", quoted(o.ETag))
	for name, sum := range o.Checksum {
		w.Header().Set(name, sum)
		w.Header().Set("x-amz-checksum-type", "FULL_OBJECT")
	}
	w.WriteHeader(http.StatusOK)
	s.notify(r.bucket, o, "ObjectCreated:Put")
	return nil
}

// writable checks the conditions of a write against what is there.
func writable(h http.Header, old *object) error {
	if h.Get("If-None-Match") == "*" && old != nil {
		return preconditionFailed()
	}
	if match := h.Get("If-Match"); match != "" {
		if old == nil {
			return ErrNoKey
		}
		if !matches(match, old.ETag) {
			return preconditionFailed()
		}
	}
	return nil
}

func quoted(etag string) string { return `"` + etag + `"` }

func matches(condition, etag string) bool {
	return condition == "*" || strings.Contains(condition, quoted(etag)) || condition == etag
}

func (s *Store) getObject(w http.ResponseWriter, r request) error {
	if version := r.URL.Query().Get("versionId"); version != "" && version != "null" {
		return &failure{Status: http.StatusNotFound, Code: "NoSuchVersion", Message: "The specified version does not exist.", Key: r.key}
	}
	o, f, err := s.open(r.bucket, r.key)
	if err != nil {
		return err
	}
	defer f.Close()
	o.describe(w.Header(), r)
	if done, err := o.readable(w, r.Header); done || err != nil {
		return err
	}
	start, length, status := int64(0), o.Size, http.StatusOK
	if header := r.Header.Get("Range"); header != "" {
		switch first, count, err := parseRange(header, o.Size); {
		case err != nil:
			w.Header().Set("Content-Range", "bytes */"+decimal(o.Size))
			return err
		case count >= 0:
			start, length, status = first, count, http.StatusPartialContent
			w.Header().Set("Content-Range", "bytes "+decimal(start)+"-"+decimal(start+length-1)+"/"+decimal(o.Size))
			for name := range o.Checksum {
				w.Header().Del(name) // it is the whole object's
			}
		}
	}
	w.Header().Set("Content-Length", decimal(length))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := f.Seek(start, io.SeekStart); err == nil {
		_, _ = io.CopyN(w, f, length) // the client is gone, or sees that the body is too short
	}
	return nil
}

// describe sets the headers of an object.
func (o object) describe(h http.Header, r request) {
	for name, value := range o.Header {
		h.Set(name, value)
	}
	query := r.URL.Query()
	for _, name := range kept {
		if value := query.Get("response-" + strings.ToLower(name)); value != "" {
			h.Set(name, value)
		}
	}
	h.Set("ETag", quoted(o.ETag))
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	h.Set("x-amz-server-side-encryption", "AES256")
	if strings.EqualFold(r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		for name, sum := range o.Checksum {
			h.Set(name, sum)
			h.Set("x-amz-checksum-type", "FULL_OBJECT")
		}
	}
	if tags, err := url.ParseQuery(o.Tags); err == nil && len(tags) > 0 {
		h.Set("x-amz-tagging-count", decimal(len(tags)))
	}
	if o.Parts > 0 {
		h.Set("x-amz-mp-parts-count", decimal(o.Parts))
	}
}

// readable checks the conditions of a read; done means that it was answered.
func (o object) readable(w http.ResponseWriter, h http.Header) (done bool, err error) {
	if match := h.Get("If-Match"); match != "" && !matches(match, o.ETag) {
		return false, preconditionFailed()
	}
	if match := h.Get("If-None-Match"); match != "" {
		if matches(match, o.ETag) {
			w.WriteHeader(http.StatusNotModified)
			return true, nil
		}
	} else if since, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !o.Modified.Truncate(1e9).After(since) {
		w.WriteHeader(http.StatusNotModified)
		return true, nil
	}
	return false, nil
}

// parseRange reads the Range header of a body of some size. A header that is not one range of bytes is ignored, as S3 does: then count is negative.
func parseRange(header string, size int64) (start, count int64, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash {
		return 0, -1, nil
	}
	unsatisfiable := refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return 0, -1, nil
		}
		if n == 0 || size == 0 {
			return 0, 0, unsatisfiable
		}
		count = min(int64(n), size)
		return size - count, count, nil
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return 0, -1, nil
	}
	to := uint64(max(size-1, 0))
	if last != "" {
		given, err := strconv.ParseUint(last, 10, 63)
		if err != nil || given < from {
			return 0, -1, nil
		}
		to = min(to, given)
	}
	if int64(from) >= size {
		return 0, 0, unsatisfiable
	}
	return int64(from), int64(to-from) + 1, nil
}

func (s *Store) deleteObject(w http.ResponseWriter, r request) error {
	if err := s.Delete(r.bucket, r.key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	s.notify(r.bucket, object{Key: r.key}, "ObjectRemoved:Delete")
	return nil
}

func (s *Store) deleteObjects(w http.ResponseWriter, r request) error {
	var in struct {
		Quiet  bool
		Object []struct{ Key string }
	}
	if err := readXML(r, &in); err != nil {
		return err
	}
	if len(in.Object) == 0 || len(in.Object) > 1000 {
		return malformedXML()
	}
	type entry struct{ Key string }
	type problem struct{ Key, Code, Message string }
	out := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Xmlns   string   `xml:"xmlns,attr"`
		Deleted []entry
		Error   []problem
	}{Xmlns: namespace}
	for _, o := range in.Object {
		err := s.Delete(r.bucket, o.Key)
		switch {
		case errors.Is(err, ErrNoBucket):
			return err
		case err != nil:
			f := asFailure(err, r.bucket, o.Key)
			out.Error = append(out.Error, problem{o.Key, f.Code, f.Message})
		default:
			s.notify(r.bucket, object{Key: o.Key}, "ObjectRemoved:Delete")
			if !in.Quiet {
				out.Deleted = append(out.Deleted, entry(o))
			}
		}
	}
	writeXML(w, http.StatusOK, out)
	return nil
}

func (s *Store) copyObject(w http.ResponseWriter, r request) error {
	source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	source, _, _ = strings.Cut(strings.TrimPrefix(source, "/"), "?")
	from, key, ok := strings.Cut(source, "/")
	if err != nil || !ok {
		return refuse(http.StatusBadRequest, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	replace := r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE"
	if from == r.bucket && key == r.key && !replace {
		return refuse(http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without "+
			"changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if err := s.has(r.bucket); err != nil {
		return err
	}
	o, f, err := s.open(from, key)
	if err != nil {
		return asFailure(err, from, key)
	}
	defer f.Close()
	o.Key, o.File = r.key, hashed(r.key)+"-"+newID()
	if replace {
		o.Header = objectHeader(r.Header)
	}
	if r.Header.Get("X-Amz-Tagging-Directive") == "REPLACE" {
		o.Tags = r.Header.Get("X-Amz-Tagging")
	}
	path := s.path(r.bucket, "objects", o.File)
	if err := writeAll(path, f); err != nil {
		return err
	}
	if err := s.commit(r.bucket, &o, nil); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	writeXML(w, http.StatusOK, struct {
		XMLName            xml.Name `xml:"CopyObjectResult"`
		Xmlns              string   `xml:"xmlns,attr"`
		ETag, LastModified string
	}{Xmlns: namespace, ETag: quoted(o.ETag), LastModified: stamp(o.Modified)})
	s.notify(r.bucket, o, "ObjectCreated:Copy")
	return nil
}
