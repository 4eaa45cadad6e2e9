package ecr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
)

// maxManifest is the largest that ECR takes (quota "Maximum size of a manifest" of the user guide: 4 MiB).
const maxManifest = 4 << 20

const ociIndex = "application/vnd.oci.image.index.v1+json"

// manifestTypes that ECR takes; the value tells the lists of manifests.
var manifestTypes = map[string]bool{
	"application/vnd.docker.distribution.manifest.v2+json":      false,
	"application/vnd.oci.image.manifest.v1+json":                false,
	"application/vnd.docker.distribution.manifest.list.v2+json": true,
	ociIndex: true,
}

// descriptor is how a manifest names something.
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	MediaType    string       `json:"mediaType"`
	ArtifactType string       `json:"artifactType"`
	Config       *descriptor  `json:"config"`
	Layers       []descriptor `json:"layers"`
	Manifests    []descriptor `json:"manifests"`
	Subject      *descriptor  `json:"subject"`
}

// parseManifest reads a manifest, of the media type that it was sent as.
func parseManifest(data []byte, contentType string) (*image, error) {
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "the manifest is no JSON: %v", err)
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if _, known := manifestTypes[mediaType]; !known {
		mediaType = m.MediaType
	}
	list, known := manifestTypes[mediaType]
	if !known || m.MediaType != "" && m.MediaType != mediaType {
		return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "the media type %q is not one of images", contentType)
	}
	i := &image{MediaType: mediaType, ConfigType: m.ArtifactType, Length: int64(len(data))}
	parts := m.Manifests
	if !list {
		if m.Config == nil {
			return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "the manifest has no config")
		}
		parts = append([]descriptor{*m.Config}, m.Layers...)
		if i.ConfigType == "" {
			i.ConfigType = m.Config.MediaType
		}
	}
	for _, part := range parts {
		if !validDigest(part.Digest) {
			return nil, refuse(http.StatusBadRequest, "MANIFEST_INVALID", "%q is no digest", part.Digest)
		}
		i.References = append(i.References, part.Digest)
		i.Size += part.Size
	}
	if m.Subject != nil {
		i.Subject = m.Subject.Digest
	}
	return i, nil
}

func (s *Store) putManifest(w http.ResponseWriter, r *http.Request, name, reference string) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxManifest+1))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	if len(data) > maxManifest {
		return refuse(http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "the manifest has more than %d bytes", maxManifest)
	}
	i, err := parseManifest(data, r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	digest := digestPrefix + hex.EncodeToString(sum[:])
	if validDigest(reference) && reference != digest {
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "the manifest's digest is %s, not %s", digest, reference)
	}
	err = s.edit(name, func(r *repository) error { return s.addImage(r, i, digest, reference, data) })
	if err != nil {
		return err
	}
	if i.Subject != "" {
		w.Header().Set("Oci-Subject", i.Subject)
	}
	w.Header().Set("Location", "/v2/"+name+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// addImage keeps an image whose parts are all there. The caller holds s.mu.
func (s *Store) addImage(r *repository, i *image, digest, reference string, data []byte) error {
	for _, part := range i.References {
		if _, blob := r.Blobs[part]; !blob && r.Images[part] == nil {
			return refuse(http.StatusNotFound, "BLOB_UNKNOWN", "The layer with digest '%s' required by the manifest does not exist in the repository with name '%s' in the "+
				"registry with id '%s'", part, r.Name, s.opts.Account)
		}
	}
	tagged := reference != digest
	if old := r.Tags[reference]; tagged && old != "" && old != digest && r.Mutability == immutable {
		return refuse(http.StatusBadRequest, "TAG_INVALID", "The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", reference, r.Name)
	}
	if r.Images[digest] == nil {
		if err := writeFile(s.blobPath(digest), data); err != nil {
			return fmt.Errorf("keep manifest %s: %w", digest, err)
		}
		i.Pushed = s.opts.Now().UTC()
		r.Images[digest] = i
	}
	if tagged {
		r.Tags[reference] = digest
	}
	return nil
}

// writeFile writes a file by rename, so that a program killed at any moment leaves all of it or nothing.
func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *Store) getManifest(w http.ResponseWriter, r *http.Request, name, reference string) error {
	var data []byte
	var i *image
	digest := ""
	err := s.view(name, func(repository *repository) error {
		digest = repository.resolve(reference)
		if i = repository.Images[digest]; i == nil {
			return refuse(http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found")
		}
		var err error
		data, err = os.ReadFile(s.blobPath(digest))
		return err
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", i.MediaType)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(data) // the client is gone
	}
	return nil
}

// getReferrers lists the artifacts that name an image as their subject.
func (s *Store) getReferrers(w http.ResponseWriter, name, subject string) error {
	found := []descriptor{}
	err := s.view(name, func(r *repository) error {
		for _, digest := range slices.Sorted(maps.Keys(r.Images)) {
			if i := r.Images[digest]; i.Subject == subject {
				found = append(found, descriptor{MediaType: i.MediaType, Digest: digest, Size: i.Length, ArtifactType: i.ConfigType})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeDocument(w, ociIndex, map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": found})
	return nil
}
