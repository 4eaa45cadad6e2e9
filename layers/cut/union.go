package cut

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/faas-lambda/faas-lambda/layers"
)

// union is what lies below Root when all of the Lambda layers are unpacked over
// one another, by the path in the image.
type union struct {
	entries map[string]layers.Entry
	count   map[string]int // of what is directly in a directory
}

func newUnion() *union { return &union{entries: map[string]layers.Entry{}, count: map[string]int{}} }

// add adds what base has beyond below as one Lambda layer, and returns its tree,
// nil when it is empty. Where something of another type lies already, it is left
// out: what Lambda makes of a file over a directory, or over a link, is not
// documented.
func (u *union) add(base, below *layers.Tree, prefix string) (*layers.Tree, error) {
	var list []layers.Entry
	dirs := map[string]bool{}
	var include func(p string)
	include = func(p string) {
		if p == "." || dirs[p] {
			return
		}
		include(path.Dir(p))
		dirs[p] = true
		e, _ := base.Get(p)
		e.Path = Root[len("/opt/"):] + "/" + p
		list = append(list, e)
		u.put(p, e)
	}
	files := 0
	for e := range base.All() {
		if !inSystem(e.Path) {
			continue
		}
		if e.Type == layers.Symlink {
			e.Link = settle(base, e, prefix)
		}
		known, err := u.had(e, below, prefix)
		if err != nil {
			return nil, err
		}
		if known || !u.fits(e) {
			continue
		}
		if e.Type == layers.Dir {
			include(e.Path)
			continue
		}
		include(path.Dir(e.Path))
		u.put(e.Path, e)
		e.Path = Root[len("/opt/"):] + "/" + e.Path
		list = append(list, e)
		files++
	}
	if files == 0 {
		u.drop(list)
		return nil, nil
	}
	list = append(list, layers.Entry{Path: Root[len("/opt/"):], Type: layers.Dir, Mode: 0o755})
	tree, err := layers.NewTree(list)
	if err != nil {
		return nil, fmt.Errorf("cut base of image: %w", err)
	}
	return tree, nil
}

// put notes an entry at a path of the image.
func (u *union) put(p string, e layers.Entry) {
	e.Path = p
	if _, ok := u.entries[p]; !ok {
		u.count[path.Dir(p)]++
	}
	u.entries[p] = e
}

// drop takes directories out again that were put for a layer that is not made.
func (u *union) drop(list []layers.Entry) {
	for _, e := range list {
		p := e.Path[len(Root)-len("/opt/")+1:]
		if _, ok := u.entries[p]; ok && u.count[p] == 0 {
			delete(u.entries, p)
			u.count[path.Dir(p)]--
		}
	}
}

// had tells whether the lower layers alone give the same entry.
func (u *union) had(e layers.Entry, below *layers.Tree, prefix string) (bool, error) {
	if below == nil {
		return false, nil
	}
	old, ok := below.Get(e.Path)
	if !ok {
		return false, nil
	}
	if old.Type == layers.Symlink {
		old.Link = settle(below, old, prefix)
	}
	return equal(old, e)
}

// fits tells whether an entry can be laid over what is there.
func (u *union) fits(e layers.Entry) bool {
	for p := path.Dir(e.Path); p != "."; p = path.Dir(p) {
		if old, ok := u.entries[p]; ok && old.Type != layers.Dir {
			return false
		}
	}
	old, ok := u.entries[e.Path]
	return !ok || old.Type == e.Type && (e.Type != layers.Symlink || old.Link == e.Link)
}

// same tells whether the layers have this directory, whatever is in it.
func (u *union) same(dir layers.Entry) bool {
	old, ok := u.entries[dir.Path]
	return ok && old.Type == layers.Dir && permissions(old) == permissions(dir)
}

// equal tells whether the layers have just this file or link.
func (u *union) equal(e layers.Entry) (bool, error) {
	old, ok := u.entries[e.Path]
	if !ok {
		return false, nil
	}
	return equal(old, e)
}

// equal tells whether two entries of one path are the same.
func equal(a, b layers.Entry) (bool, error) {
	if a.Type != b.Type || a.Size != b.Size || a.Link != b.Link || a.Type != layers.Symlink && permissions(a) != permissions(b) {
		return false, nil
	}
	if a.Type != layers.File || a.Size == 0 {
		return true, nil
	}
	if k := key(a.Content); k != "" && k == key(b.Content) {
		return true, nil
	}
	return sameBytes(a, b)
}

func key(c layers.Content) string {
	if k, ok := c.(layers.KeyedContent); ok {
		return k.Key()
	}
	return ""
}

// sameBytes reads both files, up to where they differ.
func sameBytes(a, b layers.Entry) (same bool, err error) {
	one, err := a.Content.Open()
	if err != nil {
		return false, fmt.Errorf("read /%s: %w", a.Path, err)
	}
	defer func() { err = errors.Join(err, one.Close()) }()
	other, err := b.Content.Open()
	if err != nil {
		return false, fmt.Errorf("read /%s: %w", b.Path, err)
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	x, y := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(one, x)
		m, otherErr := io.ReadFull(other, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		switch {
		case end(err) && end(otherErr):
			return true, nil
		case err != nil && !end(err):
			return false, fmt.Errorf("read /%s: %w", a.Path, err)
		case otherErr != nil && !end(otherErr):
			return false, fmt.Errorf("read /%s: %w", b.Path, otherErr)
		}
	}
}

func end(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
