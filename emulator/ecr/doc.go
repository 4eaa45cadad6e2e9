// Package ecr is Amazon ECR: repositories over its API, and the registry that images are pushed to and pulled from. Blobs lie in files, once each however
// many repositories have them, and outlive the program. Lifecycle policies and repository policies are kept and given back without effect.
package ecr
