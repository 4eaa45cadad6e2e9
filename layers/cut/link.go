package cut

import (
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// settle returns the target of a link so that it holds wherever its directory is
// reached: a target that goes up becomes absolute under the prefix, because on
// the way up from a linked directory lies Root, where all is as the layers have
// it and not as the function does.
func settle(tree *layers.Tree, e layers.Entry, prefix string) string {
	if path.IsAbs(e.Link) || !strings.Contains("/"+e.Link+"/", "/../") {
		return e.Link
	}
	last := strings.LastIndex("/"+e.Link+"/", "/../") // where the last step up begins in e.Link
	up, rest := e.Link[:min(last+2, len(e.Link))], ""
	if len(up) < len(e.Link) {
		rest = e.Link[len(up)+1:]
	}
	dir := path.Dir(e.Path)
	at := path.Join("/", dir, up)
	if to, err := tree.Resolve(dir + "/" + up); err == nil {
		at = path.Join("/", to.Path)
	}
	return path.Join(prefix, at, rest)
}
