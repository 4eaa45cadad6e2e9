package ecr

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

func (s *Store) handleImages(service *wire.Service) {
	wire.Handle(service, "DescribeImages", s.describeImages)
	wire.Handle(service, "ListImages", s.listImages)
	wire.Handle(service, "BatchGetImage", s.batchGetImage)
	wire.Handle(service, "BatchDeleteImage", s.batchDeleteImage)
}

// maxBatch of images in a request (ECR API Reference, BatchGetImage).
const maxBatch = 100

type imageID struct {
	ImageDigest string `json:"imageDigest,omitempty"`
	ImageTag    string `json:"imageTag,omitempty"`
}

type imageRequest struct {
	RepositoryName string    `json:"repositoryName"`
	ImageIds       []imageID `json:"imageIds"`
	Filter         filter    `json:"filter"`
	MaxResults     int       `json:"maxResults"`
	NextToken      string    `json:"nextToken"`
}

type filter struct {
	TagStatus string `json:"tagStatus"`
}

// matches tells whether an image with so many tags is asked for.
func (f filter) matches(tags int) bool {
	return f.TagStatus == "" || f.TagStatus == "ANY" || (f.TagStatus == "TAGGED") == (tags > 0)
}

// digestOf returns the digest of an image that is there, "" for none.
func (id imageID) digestOf(r *repository) string {
	switch {
	case id.ImageDigest == "":
		return r.Tags[id.ImageTag]
	case r.Images[id.ImageDigest] == nil, id.ImageTag != "" && r.Tags[id.ImageTag] != id.ImageDigest:
		return ""
	}
	return id.ImageDigest
}

type imageDetail struct {
	RegistryId             string    `json:"registryId"`
	RepositoryName         string    `json:"repositoryName"`
	ImageDigest            string    `json:"imageDigest"`
	ImageTags              []string  `json:"imageTags,omitempty"`
	ImageSizeInBytes       int64     `json:"imageSizeInBytes"`
	ImagePushedAt          wire.Time `json:"imagePushedAt"`
	ImageManifestMediaType string    `json:"imageManifestMediaType"`
	ArtifactMediaType      string    `json:"artifactMediaType,omitempty"`
}

type imageDetails struct {
	ImageDetails []imageDetail `json:"imageDetails"`
	NextToken    string        `json:"nextToken,omitempty"`
}

func (s *Store) describeImages(_ context.Context, in *imageRequest) (imageDetails, error) {
	out := imageDetails{ImageDetails: []imageDetail{}}
	err := s.view(in.RepositoryName, func(r *repository) error {
		digests, err := s.asked(r, in)
		if err != nil {
			return err
		}
		if digests, out.NextToken, err = page(digests, in.NextToken, in.MaxResults); err != nil {
			return err
		}
		for _, digest := range digests {
			i := r.Images[digest]
			out.ImageDetails = append(out.ImageDetails, imageDetail{s.opts.Account, r.Name, digest, r.tagsOf(digest), i.Size, wire.Time{Time: i.Pushed}, i.MediaType, i.ConfigType})
		}
		return nil
	})
	return out, err
}

// asked returns the digests of the images that a request names, or else of all that its filter lets through.
func (s *Store) asked(r *repository, in *imageRequest) ([]string, error) {
	var digests []string
	for _, id := range in.ImageIds {
		digest := id.digestOf(r)
		if digest == "" {
			return nil, wire.Refuse("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in "+
				"the registry with id '%s'", cmp.Or(id.ImageDigest, "null"), cmp.Or(id.ImageTag, "null"), r.Name, s.opts.Account)
		}
		if !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
	}
	if len(in.ImageIds) > 0 {
		return digests, nil
	}
	for _, digest := range slices.Sorted(maps.Keys(r.Images)) {
		if in.Filter.matches(len(r.tagsOf(digest))) {
			digests = append(digests, digest)
		}
	}
	return digests, nil
}

type imageIDs struct {
	ImageIds  []imageID `json:"imageIds"`
	NextToken string    `json:"nextToken,omitempty"`
}

// listImages lists one item for each tag, and one for each image without.
func (s *Store) listImages(_ context.Context, in *imageRequest) (imageIDs, error) {
	out := imageIDs{ImageIds: []imageID{}}
	err := s.view(in.RepositoryName, func(r *repository) error {
		digests, next, err := page(slices.Sorted(maps.Keys(r.Images)), in.NextToken, in.MaxResults)
		if err != nil {
			return err
		}
		out.NextToken = next
		for _, digest := range digests {
			tags := r.tagsOf(digest)
			if !in.Filter.matches(len(tags)) {
				continue
			}
			for _, tag := range tags {
				out.ImageIds = append(out.ImageIds, imageID{digest, tag})
			}
			if len(tags) == 0 {
				out.ImageIds = append(out.ImageIds, imageID{ImageDigest: digest})
			}
		}
		return nil
	})
	return out, err
}

type gotImage struct {
	RegistryId             string  `json:"registryId"`
	RepositoryName         string  `json:"repositoryName"`
	ImageId                imageID `json:"imageId"`
	ImageManifest          string  `json:"imageManifest"`
	ImageManifestMediaType string  `json:"imageManifestMediaType"`
}

type imageFailure struct {
	ImageId       imageID `json:"imageId"`
	FailureCode   string  `json:"failureCode"`
	FailureReason string  `json:"failureReason"`
}

type gotImages struct {
	Images   []gotImage     `json:"images"`
	Failures []imageFailure `json:"failures"`
}

func (s *Store) batchGetImage(_ context.Context, in *imageRequest) (gotImages, error) {
	out := gotImages{Images: []gotImage{}, Failures: []imageFailure{}}
	if err := checkBatch(in); err != nil {
		return out, err
	}
	err := s.view(in.RepositoryName, func(r *repository) error {
		for _, id := range in.ImageIds {
			digest := id.digestOf(r)
			if digest == "" {
				out.Failures = append(out.Failures, noImage(id))
				continue
			}
			data, err := os.ReadFile(s.blobPath(digest))
			if err != nil {
				return err
			}
			out.Images = append(out.Images, gotImage{s.opts.Account, r.Name, imageID{digest, id.ImageTag}, string(data), r.Images[digest].MediaType})
		}
		return nil
	})
	return out, err
}

type deletedImages struct {
	ImageIds []imageID      `json:"imageIds"`
	Failures []imageFailure `json:"failures"`
}

// batchDeleteImage removes tags, and with its last tag the image; or images by digest with all their tags (ECR API Reference).
func (s *Store) batchDeleteImage(_ context.Context, in *imageRequest) (deletedImages, error) {
	out := deletedImages{ImageIds: []imageID{}, Failures: []imageFailure{}}
	if err := checkBatch(in); err != nil {
		return out, err
	}
	err := s.edit(in.RepositoryName, func(r *repository) error {
		for _, id := range in.ImageIds {
			deleted, failed := r.delete(id)
			out.ImageIds = append(out.ImageIds, deleted...)
			if failed != nil {
				out.Failures = append(out.Failures, *failed)
			}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	return out, s.sweep()
}

func (r *repository) delete(id imageID) ([]imageID, *imageFailure) {
	digest := id.digestOf(r)
	if digest == "" {
		failed := noImage(id)
		return nil, &failed
	}
	tags := r.tagsOf(digest)
	if id.ImageTag != "" && len(tags) > 1 {
		delete(r.Tags, id.ImageTag)
		return []imageID{{digest, id.ImageTag}}, nil
	}
	for _, i := range r.Images {
		if slices.Contains(i.References, digest) {
			return nil, &imageFailure{id, "ImageReferencedByManifestList", "Requested image referenced by manifest list: [" + digest + "]"}
		}
	}
	delete(r.Images, digest)
	deleted := []imageID{}
	for _, tag := range tags {
		delete(r.Tags, tag)
		deleted = append(deleted, imageID{digest, tag})
	}
	if len(tags) == 0 {
		deleted = append(deleted, imageID{ImageDigest: digest})
	}
	return deleted, nil
}

func checkBatch(in *imageRequest) error {
	if len(in.ImageIds) == 0 || len(in.ImageIds) > maxBatch {
		return wire.Refuse("InvalidParameterException", "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length between 1 and %d'", maxBatch)
	}
	return nil
}

func noImage(id imageID) imageFailure {
	return imageFailure{id, "ImageNotFound", "Requested image not found"}
}
