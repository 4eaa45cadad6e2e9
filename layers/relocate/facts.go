package relocate

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
	"golang.org/x/sync/errgroup"
)

// fact is what is remembered of an ELF file.
type fact struct {
	elfedit.Info
	Bad   bool `json:"x,omitempty"` // it only looks like one
	Class bool `json:"c,omitempty"` // it is not 64-bit little-endian
}

// factVersion is part of every fact's key: facts of another form are not read.
const factVersion = "2:"

// maxText bounds the text files that are read: configuration of a few lines.
const maxText = 256 << 10

func machine(arch string) elf.Machine {
	if arch == "arm64" {
		return elf.EM_AARCH64
	}
	return elf.EM_X86_64
}

// contentKey returns the key of a file's content, "" when it has none.
func contentKey(e layers.Entry) string {
	if k, ok := e.Content.(layers.KeyedContent); ok {
		return k.Key()
	}
	return ""
}

// recall returns what find finds out about a file, from the facts when it was
// found out before.
func (m *mover) recall(topic string, e layers.Entry, find func() ([]byte, error)) ([]byte, error) {
	key := contentKey(e)
	if key == "" || m.opts.Facts == nil {
		return find()
	}
	key = topic + factVersion + key
	if known, ok := m.opts.Facts.Fact(key); ok {
		return known, nil
	}
	found, err := find()
	if err == nil {
		m.opts.Facts.Remember(key, found)
	}
	return found, err
}

// head returns the first bytes of a file: enough to tell an ELF file, and the
// first line of a script.
func head(e layers.Entry) ([]byte, error) {
	if h, ok := e.Content.(layers.HeadedContent); ok {
		return h.Head(), nil
	}
	return readStart(e, layers.HeadSize)
}

// text returns the content of a small file, nil for a large one.
func (m *mover) text(e layers.Entry) ([]byte, error) {
	if e.Size > maxText {
		return nil, nil
	}
	return m.recall("text", e, func() ([]byte, error) { return readStart(e, e.Size) })
}

// elf returns what is known of an ELF file.
func (m *mover) elf(e layers.Entry) (fact, error) {
	if f, ok := m.facts[e.Path]; ok {
		return f, nil
	}
	f, err := m.readELF(e)
	if err == nil {
		m.facts[e.Path] = f
	}
	return f, err
}

// readELF is elf without the memory of this one relocation; several goroutines
// may call it at once.
func (m *mover) readELF(e layers.Entry) (f fact, err error) {
	data, err := m.recall("elf", e, func() ([]byte, error) {
		var f fact
		var err error
		f.Info, err = elfedit.Read(e.Content.Open, e.Size)
		f.Bad, f.Class = errors.Is(err, elfedit.ErrDamaged), errors.Is(err, elfedit.ErrClass)
		if err != nil && !f.Bad && !f.Class {
			return nil, fmt.Errorf("read /%s: %w", e.Path, err)
		}
		return json.Marshal(f)
	})
	if err != nil {
		return fact{}, err
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return fact{}, fmt.Errorf("read fact about /%s: %w", e.Path, err)
	}
	return f, nil
}

// readELFs reads what is not known yet of many files, on all cores: the files
// have to be inflated for it.
func (m *mover) readELFs(list []layers.Entry) error {
	found := make([]fact, len(list))
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range list {
		if known, ok := m.facts[e.Path]; ok {
			found[i] = known
			continue
		}
		all.Go(func() (err error) {
			found[i], err = m.readELF(e)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	for i, e := range list {
		m.facts[e.Path] = found[i]
	}
	return nil
}

// readStart returns the first n bytes of a file, fewer when it is shorter.
func readStart(e layers.Entry, n int64) (_ []byte, err error) {
	r, err := e.Content.Open()
	if err != nil {
		return nil, fmt.Errorf("read /%s: %w", e.Path, err)
	}
	defer func() {
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	data, err := io.ReadAll(io.LimitReader(r, n))
	if err != nil {
		return nil, fmt.Errorf("read /%s: %w", e.Path, err)
	}
	return data, nil
}
