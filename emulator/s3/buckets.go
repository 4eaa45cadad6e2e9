package s3

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// maxDocument bounds a request's XML: a thousand keys to delete, of a kilobyte each, escaped.
const maxDocument = 8 << 20

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

func readAll(from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxDocument+1))
	if err == nil && len(data) > maxDocument {
		return nil, refuse(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too large.")
	}
	return data, err
}

type owner struct {
	ID, DisplayName string
}

var theOwner = owner{"75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a", "embedded"}

// stamp is a time as S3's XML writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (s *Store) listBuckets(w http.ResponseWriter, r request) error {
	type listed struct{ Name, CreationDate, BucketRegion string }
	out := struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   owner
		Buckets []listed `xml:"Buckets>Bucket"`
		Prefix  string   `xml:",omitempty"`
	}{Xmlns: namespace, Owner: theOwner, Prefix: r.URL.Query().Get("prefix")}
	names := s.Buckets()
	s.mu.RLock()
	for _, name := range names {
		if b := s.buckets[name]; b != nil && strings.HasPrefix(name, out.Prefix) {
			out.Buckets = append(out.Buckets, listed{name, stamp(b.Created), b.Region})
		}
	}
	s.mu.RUnlock()
	writeXML(w, http.StatusOK, out)
	return nil
}

// classic is the region whose buckets have no location constraint.
const classic = "us-east-1"

func (s *Store) createBucket(w http.ResponseWriter, r request) error {
	var in struct{ LocationConstraint string }
	if data, err := readAll(newBody(r.Request)); err != nil {
		return err
	} else if len(data) > 0 && xml.Unmarshal(data, &in) != nil {
		return malformedXML()
	}
	signed := cmp.Or(wire.CallerOf(r.Request).Region, classic)
	region := cmp.Or(in.LocationConstraint, signed)
	if in.LocationConstraint == "" && signed != classic {
		return refuse(http.StatusBadRequest, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region "+
			"specific endpoint this request was sent to.")
	}
	made, err := s.CreateBucket(r.bucket, region)
	if err != nil {
		return err
	}
	if !made && region != classic { // in us-east-1 making one's own bucket again succeeds (S3 API Reference, CreateBucket)
		return &failure{Status: http.StatusConflict, Code: "BucketAlreadyOwnedByYou", BucketName: r.bucket,
			Message: "Your previous request to create the named bucket succeeded and you already own it."}
	}
	w.Header().Set("Location", "/"+r.bucket)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Store) headBucket(w http.ResponseWriter, r request) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(r.bucket)
	if err != nil {
		return err
	}
	w.Header().Set("x-amz-bucket-region", b.Region)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Store) deleteBucket(w http.ResponseWriter, r request) error {
	if err := s.DeleteBucket(r.bucket); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Store) getLocation(w http.ResponseWriter, r request) error {
	s.mu.RLock()
	b, err := s.bucket(r.bucket)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	region := b.Region // never changes
	if region == classic {
		region = ""
	}
	writeXML(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		Xmlns   string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}{Xmlns: namespace, Region: region})
	return nil
}

// config is a subresource of buckets that is kept as it is sent.
type config struct {
	query, name string
	absent      string   // the document given where none is kept
	missing     *failure // or the error
}

func lacking(code, message string) *failure { return refuse(http.StatusNotFound, code, message) }

var configs = []config{
	{query: "notification", name: "BucketNotificationConfiguration", absent: `<NotificationConfiguration xmlns="` + namespace + `"/>`},
	{query: "versioning", name: "BucketVersioning", absent: `<VersioningConfiguration xmlns="` + namespace + `"/>`},
	{query: "lifecycle", name: "BucketLifecycleConfiguration", missing: lacking("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")},
	{query: "tagging", name: "BucketTagging", missing: lacking("NoSuchTagSet", "The TagSet does not exist")},
	{query: "policy", name: "BucketPolicy", missing: lacking("NoSuchBucketPolicy", "The bucket policy does not exist")},
	{query: "cors", name: "BucketCors", missing: lacking("NoSuchCORSConfiguration", "The CORS configuration does not exist")},
	{query: "encryption", name: "BucketEncryption", absent: `<ServerSideEncryptionConfiguration xmlns="` + namespace + `"><Rule>` +
		`<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled>` +
		`</Rule></ServerSideEncryptionConfiguration>`},
	{query: "publicAccessBlock", name: "PublicAccessBlock", missing: lacking("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")},
	{query: "ownershipControls", name: "BucketOwnershipControls", missing: lacking("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")},
	{query: "acl", name: "BucketAcl", missing: lacking("AccessControlListNotSupported", "The bucket does not allow ACLs")},
}

// configure puts, gets or deletes a configuration.
func (s *Store) configure(w http.ResponseWriter, r request, c config) error {
	switch r.Method {
	case http.MethodPut:
		data, err := readAll(newBody(r.Request))
		if err != nil {
			return err
		}
		if err := c.check(data); err != nil {
			return err
		}
		if err := s.checkDestinations(r, c, data); err != nil {
			return err
		}
		if err := s.setConfig(r.bucket, c.query, string(data)); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return nil
	case http.MethodDelete:
		if err := s.setConfig(r.bucket, c.query, ""); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	document, err := s.config(r.bucket, c.query)
	if err != nil {
		return err
	}
	if document == "" {
		document = c.absent
	}
	if document == "" {
		missing := *c.missing
		missing.BucketName = r.bucket
		return &missing
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, document) // the client is gone
	return nil
}

// check refuses what is no document of its kind.
func (c config) check(data []byte) error {
	switch c.query {
	case "policy": // the one that is JSON
		return nil
	case "notification":
		n, err := parseNotification(data)
		if err != nil {
			return err
		}
		return n.checkOverlap()
	}
	if xml.Unmarshal(data, new(struct{})) != nil {
		return malformedXML()
	}
	return nil
}
