package annotations

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/openfaas/faas-provider/types"

	"github.com/faas-lambda/faas-lambda/provider/backend"
	"github.com/faas-lambda/faas-lambda/provider/backend/aws/notation"
)

// Whether there is what an annotation names, AWS alone knows, and it knows
// nothing of annotations.

// resource is a value that names something in AWS.
var resource = regexp.MustCompile(`^(?:arn:|subnet-|sg-)`)

// Blame returns err with the name of the annotation of whose value AWS says that it
// is not valid; as it is where none can be told.
func Blame(d types.FunctionDeployment, err error) error {
	if !errors.Is(err, backend.ErrInvalid) || d.Annotations == nil || strings.Contains(err.Error(), Prefix) {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(*d.Annotations)) {
		key, ours := strings.CutPrefix(name, Prefix)
		if ours && blamed(key, (*d.Annotations)[name], err.Error()) {
			return fmt.Errorf("annotation %s: %w", name, err)
		}
	}
	return err
}

// blamed tells whether AWS's words are about that annotation.
func blamed(key, value, words string) bool {
	switch key {
	case "rollback": // the one that an update looks at
		return true
	case "role": // recorded on the real service, which does not say which one
		if strings.Contains(words, "The role defined for the function") {
			return true
		}
	}
	return slices.ContainsFunc(notation.List(value), func(part string) bool {
		part, _, _ = strings.Cut(part, ":/mnt/")
		return resource.MatchString(part) && strings.Contains(words, part)
	})
}
