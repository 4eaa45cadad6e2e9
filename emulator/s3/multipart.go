package s3

import (
	"crypto/md5" // as part of the ETag
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of multipart uploads.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	maxParts = 10_000
	minPart  = 5 << 20 // of all but the last
)

var errNoUpload = errors.New("the specified upload does not exist")

// upload is a multipart upload in progress; it ends with the program.
type upload struct {
	id, bucket string
	object     object
	begun      time.Time
	parts      map[int]part
}

type part struct {
	file     string
	size     int64
	etag     string
	modified time.Time
}

func (s *Store) createUpload(w http.ResponseWriter, r request) error {
	u := &upload{id: newID() + newID(), bucket: r.bucket, begun: s.opts.Now(), parts: map[int]part{},
		object: object{Key: r.key, Header: objectHeader(r.Header), Tags: r.Header.Get("X-Amz-Tagging")}}
	s.mu.Lock()
	_, err := s.bucket(r.bucket)
	if err == nil {
		s.uploads[u.id] = u
		err = os.MkdirAll(s.path(r.bucket, "uploads", u.id), 0o755)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if algorithm := r.Header.Get("X-Amz-Checksum-Algorithm"); algorithm != "" {
		w.Header().Set("x-amz-checksum-algorithm", algorithm)
	}
	writeXML(w, http.StatusOK, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns                 string   `xml:"xmlns,attr"`
		Bucket, Key, UploadId string
	}{Xmlns: namespace, Bucket: r.bucket, Key: r.key, UploadId: u.id})
	return nil
}

// upload finds the one that a request names. The caller holds mu.
func (s *Store) upload(r request) (*upload, error) {
	if _, err := s.bucket(r.bucket); err != nil {
		return nil, err
	}
	id := r.URL.Query().Get("uploadId")
	if u := s.uploads[id]; u != nil && u.bucket == r.bucket && u.object.Key == r.key {
		return u, nil
	}
	return nil, noUpload(id)
}

func (s *Store) findUpload(r request) (*upload, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.upload(r)
}

func (s *Store) uploadPart(w http.ResponseWriter, r request) error {
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || number < 1 || number > maxParts {
		return refuse(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		return refuse(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented")
	}
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	b := newBody(r.Request)
	file := s.path(u.bucket, "uploads", u.id, newID())
	if err := writeAll(file, b); err != nil {
		return err
	}
	if err := s.addPart(r, number, part{file, b.size, b.etag(), s.opts.Now()}); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	if sum := b.checksum(); sum != "" {
		w.Header().Set(b.name, sum)
	}
	w.Header().Set("ETag", quoted(b.etag()))
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Store) addPart(r request, number int, p part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.upload(r) // it may have been aborted meanwhile
	if err != nil {
		return err
	}
	old, replaced := u.parts[number]
	u.parts[number] = p
	if replaced {
		return os.Remove(old.file)
	}
	return nil
}

type partNamed struct {
	PartNumber int
	ETag       string
}

func (s *Store) completeUpload(w http.ResponseWriter, r request) error {
	var in struct{ Part []partNamed }
	if err := readXML(r, &in); err != nil {
		return err
	}
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	parts, err := s.chosen(u, in.Part)
	if err != nil {
		return err
	}
	o := u.object
	if err := s.assemble(u, &o, parts, func(old *object) error { return writable(r.Header, old) }); err != nil {
		return err
	}
	if err := s.endUpload(r); err != nil {
		return err
	}
	writeXML(w, http.StatusOK, struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		Xmlns                       string   `xml:"xmlns,attr"`
		Location, Bucket, Key, ETag string
	}{Xmlns: namespace, Location: "http://" + r.Host + "/" + r.bucket + "/" + r.key, Bucket: r.bucket, Key: r.key, ETag: quoted(o.ETag)})
	s.notify(r.bucket, o, "ObjectCreated:CompleteMultipartUpload")
	return nil
}

// chosen are the parts that the object is to be made of.
func (s *Store) chosen(u *upload, named []partNamed) ([]part, error) {
	if len(named) == 0 {
		return nil, malformedXML()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]part, len(named))
	for i, n := range named {
		p, ok := u.parts[n.PartNumber]
		switch {
		case i > 0 && n.PartNumber <= named[i-1].PartNumber:
			return nil, refuse(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		case !ok || !matches(n.ETag, p.etag):
			return nil, refuse(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been "+
				"uploaded, or the specified entity tag may not match the part's entity tag.")
		case i < len(named)-1 && p.size < minPart:
			return nil, refuse(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		out[i] = p
	}
	return out, nil
}

// assemble makes the object of its parts.
func (s *Store) assemble(u *upload, o *object, parts []part, allowed func(old *object) error) error {
	o.File, o.Parts = hashed(o.Key)+"-"+newID(), len(parts)
	path := s.path(u.bucket, "objects", o.File)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write object: %w", err)
	}
	digests := md5.New()
	for _, p := range parts {
		digest, decodeErr := hex.DecodeString(p.etag)
		_, _ = digests.Write(digest) // a hash never fails
		if err = errors.Join(decodeErr, appendFile(f, p.file)); err != nil {
			break
		}
		o.Size += p.size
	}
	o.ETag = hex.EncodeToString(digests.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.commit(u.bucket, o, allowed)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// appendFile copies within the kernel where that is possible.
func appendFile(to *os.File, path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

func (s *Store) endUpload(r request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.upload(r)
	if err != nil {
		return err
	}
	delete(s.uploads, u.id)
	return os.RemoveAll(s.path(u.bucket, "uploads", u.id))
}

func (s *Store) abortUpload(w http.ResponseWriter, r request) error {
	if err := s.endUpload(r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Store) listParts(w http.ResponseWriter, r request) error {
	type listed struct {
		PartNumber         int
		LastModified, ETag string
		Size               int64
	}
	out := struct {
		XMLName               xml.Name `xml:"ListPartsResult"`
		Xmlns                 string   `xml:"xmlns,attr"`
		Bucket, Key, UploadId string
		MaxParts              int
		IsTruncated           bool
		Part                  []listed
	}{Xmlns: namespace, Bucket: r.bucket, Key: r.key, UploadId: r.URL.Query().Get("uploadId"), MaxParts: maxParts}
	s.mu.RLock()
	u, err := s.upload(r)
	if err == nil {
		for number, p := range u.parts {
			out.Part = append(out.Part, listed{number, stamp(p.modified), quoted(p.etag), p.size})
		}
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	slices.SortFunc(out.Part, func(a, b listed) int { return a.PartNumber - b.PartNumber })
	writeXML(w, http.StatusOK, out)
	return nil
}

func (s *Store) listUploads(w http.ResponseWriter, r request) error {
	type listed struct{ Key, UploadId, Initiated string }
	out := struct {
		XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
		Xmlns       string   `xml:"xmlns,attr"`
		Bucket      string
		IsTruncated bool
		Upload      []listed
	}{Xmlns: namespace, Bucket: r.bucket}
	s.mu.RLock()
	_, err := s.bucket(r.bucket)
	for _, u := range s.uploads {
		if u.bucket == r.bucket {
			out.Upload = append(out.Upload, listed{u.object.Key, u.id, stamp(u.begun)})
		}
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	slices.SortFunc(out.Upload, func(a, b listed) int { return strings.Compare(a.Key+a.UploadId, b.Key+b.UploadId) })
	writeXML(w, http.StatusOK, out)
	return nil
}
