package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxKeys of one page.
const maxKeys = 1000

type listedObject struct {
	Key, LastModified, ETag string
	Size                    int64
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

// listing answers both versions of the call; members of the other version are empty.
type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Xmlns                 string   `xml:"xmlns,attr"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	MaxKeys               int
	EncodingType          string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"`
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	Marker                *string `xml:",omitempty"`
	NextMarker            string  `xml:",omitempty"`
	IsTruncated           bool
	Contents              []listedObject
	CommonPrefixes        []commonPrefix
}

func (s *Store) listObjects(w http.ResponseWriter, r request) error {
	query := r.URL.Query()
	out := &listing{Xmlns: namespace, Name: r.bucket, Prefix: query.Get("prefix"), Delimiter: query.Get("delimiter"), MaxKeys: maxKeys}
	if text := query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return refuse(http.StatusBadRequest, "InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647")
		}
		out.MaxKeys = min(n, maxKeys)
	}
	second := query.Get("list-type") == "2"
	after := query.Get("marker")
	if second {
		after, out.StartAfter, out.ContinuationToken = query.Get("start-after"), query.Get("start-after"), query.Get("continuation-token")
		if out.ContinuationToken != "" {
			token, err := base64.URLEncoding.DecodeString(out.ContinuationToken)
			if err != nil {
				return refuse(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
			}
			after = string(token)
		}
	} else {
		out.Marker = &after
	}
	last, err := s.fill(out, after)
	if err != nil {
		return err
	}
	if count := len(out.Contents) + len(out.CommonPrefixes); second {
		out.KeyCount = &count
	}
	if out.IsTruncated && second {
		out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
	} else if out.IsTruncated && out.Delimiter != "" {
		out.NextMarker = last
	}
	if query.Get("encoding-type") == "url" {
		out.escape()
	}
	writeXML(w, http.StatusOK, out)
	return nil
}

// fill lists what comes after a key or common prefix, and returns the last one.
func (s *Store) fill(out *listing, after string) (last string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(out.Name)
	if err != nil {
		return "", err
	}
	keys := make([]string, 0, len(b.objects))
	for key := range b.objects {
		if key > after && strings.HasPrefix(key, out.Prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		group := grouped(key, out.Prefix, out.Delimiter)
		if group != "" && (group == last || strings.HasPrefix(after, group)) {
			continue
		}
		if len(out.Contents)+len(out.CommonPrefixes) == out.MaxKeys {
			out.IsTruncated = out.MaxKeys > 0
			return last, nil
		}
		if group != "" {
			last = group
			out.CommonPrefixes = append(out.CommonPrefixes, commonPrefix{group})
			continue
		}
		last = key
		o := b.objects[key]
		out.Contents = append(out.Contents, listedObject{key, stamp(o.Modified), quoted(o.ETag), o.Size, "STANDARD"})
	}
	return last, nil
}

// grouped is the common prefix that stands for a key, or "".
func grouped(key, prefix, delimiter string) string {
	if delimiter == "" {
		return ""
	}
	if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
		return key[:len(prefix)+i+len(delimiter)]
	}
	return ""
}

// escape writes keys so that XML can carry them all.
func (l *listing) escape() {
	l.EncodingType = "url"
	quote := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	l.Prefix, l.Delimiter, l.StartAfter, l.NextMarker = quote(l.Prefix), quote(l.Delimiter), quote(l.StartAfter), quote(l.NextMarker)
	for i := range l.Contents {
		l.Contents[i].Key = quote(l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		l.CommonPrefixes[i].Prefix = quote(l.CommonPrefixes[i].Prefix)
	}
}
