package bundle

import (
	"context"
	"fmt"
	"io"

	"github.com/faas-lambda/faas-lambda/layers"
)

// WritePart writes the zip of a Lambda layer: p.Tree and nothing else, or, when
// p has no Tree, the bootstrap, which Lambda finds in a layer too
// (docs.aws.amazon.com/lambda, "Building a custom runtime"). The same Tree gives
// the same bytes.
func WritePart(ctx context.Context, w io.Writer, p Package) (Summary, error) {
	tree := p.Tree
	if tree == nil {
		var err error
		if tree, err = layers.NewTree([]layers.Entry{bootstrapEntry(p.Bootstrap)}); err != nil {
			return Summary{}, fmt.Errorf("write layer: %w", err)
		}
	}
	sum := count(tree)
	if sum.Unzipped >= MaxUnzipped {
		return Summary{}, tooLarge(tree, sum.Unzipped)
	}
	if err := writeTree(ctx, w, tree, p, &sum); err != nil {
		return Summary{}, fmt.Errorf("write layer: %w", err)
	}
	return sum, nil
}
