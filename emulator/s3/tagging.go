package s3

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type tag struct{ Key, Value string }

type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

func (s *Store) getObjectTagging(w http.ResponseWriter, r request) error {
	s.mu.RLock()
	o, err := s.find(r.bucket, r.key)
	text := ""
	if err == nil {
		text = o.Tags
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	out := tagging{Xmlns: namespace}
	values, err := url.ParseQuery(text)
	if err != nil {
		return refuse(http.StatusBadRequest, "InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	for key := range values {
		out.Tags = append(out.Tags, tag{key, values.Get(key)})
	}
	slices.SortFunc(out.Tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	writeXML(w, http.StatusOK, out)
	return nil
}

func (s *Store) putObjectTagging(w http.ResponseWriter, r request) error {
	var in tagging
	if err := readXML(r, &in); err != nil {
		return err
	}
	values := url.Values{}
	for _, t := range in.Tags {
		values.Set(t.Key, t.Value)
	}
	return s.retag(w, r, values.Encode(), http.StatusOK)
}

func (s *Store) deleteObjectTagging(w http.ResponseWriter, r request) error {
	return s.retag(w, r, "", http.StatusNoContent)
}

func (s *Store) retag(w http.ResponseWriter, r request, tags string, status int) error {
	if err := s.edit(r.bucket, r.key, func(o *object) { o.Tags = tags }); err != nil {
		return err
	}
	w.WriteHeader(status)
	return nil
}
