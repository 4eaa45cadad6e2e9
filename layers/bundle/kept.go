package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// What was compressed for one package is kept as one blob. Its index says by
// key where each content lies in it; a fact only says which blob a key is in.
// So a blob is right by itself: whichever of two processes wrote the one that a
// fact leads to, its index and its data belong together.

// keptBlob is a blob that is open.
type keptBlob struct {
	source *press.Source
	places map[string]place // by key
}

// place is where a content lies.
type place struct {
	size   int64 // of the content
	offset int64 // of its DEFLATE stream in the blob
	length int64 // of that stream
	crc32  uint32
}

const placeSize = 3*8 + 4 // of a place in an index

func factKey(key string) string { return "kept " + press.Version + " " + key }

// cached returns an entry's content out of the cache, nil when it is not there.
func (c *compressed) cached(ctx context.Context, e layers.Entry, store *cache.Cache, blobs map[string]*keptBlob) (*press.Content, error) {
	k := key(e.Content)
	if store == nil || k == "" {
		return nil, nil
	}
	fact, ok := store.Facts().Fact(factKey(k))
	if !ok {
		return nil, nil
	}
	name := string(fact)
	blob, known := blobs[name]
	if !known {
		var err error
		if blob, err = c.openKept(ctx, store, name); err != nil {
			return nil, err
		}
		blobs[name] = blob
	}
	at, ok := blob.places[k]
	if !ok || at.size != e.Size {
		return nil, nil
	}
	return &press.Content{Source: blob.source, Stream: press.Stream{Offset: at.offset, Size: at.length, CRC32: at.crc32}}, nil
}

// openKept opens a blob. One that is not there, or says what it cannot hold, has
// no places.
func (c *compressed) openKept(ctx context.Context, store *cache.Cache, name string) (*keptBlob, error) {
	blob, err := store.Open(ctx, name)
	if errors.Is(err, cache.ErrMiss) {
		return &keptBlob{}, nil
	}
	if err != nil {
		return nil, err
	}
	c.files = append(c.files, blob)
	places, ok := parsePlaces(blob.Index)
	if !ok {
		return &keptBlob{}, nil
	}
	return &keptBlob{&press.Source{File: blob}, places}, nil
}

// keep puts what was compressed into the cache. Contents without a key are in
// the blob, but nothing leads to them.
func (c *compressed) keep(todo []layers.Entry, file *cache.Writer, store *cache.Cache) error {
	var (
		index []byte
		keys  []string
	)
	for _, e := range todo {
		k := key(e.Content)
		if k == "" {
			continue
		}
		keys = append(keys, k)
		at := c.contents[id(e)]
		index = appendPlace(index, k, place{e.Size, at.Offset, at.Size, at.CRC32})
	}
	if len(keys) == 0 {
		return nil
	}
	sum := sha256.Sum256([]byte(press.Version + "\x00" + strings.Join(keys, "\x00")))
	name := "kept-" + hex.EncodeToString(sum[:16])
	if err := file.Commit(name, index); err != nil {
		return err
	}
	for _, k := range keys {
		store.Facts().Remember(factKey(k), []byte(name))
	}
	return nil
}

func appendPlace(index []byte, key string, p place) []byte {
	index = binary.AppendUvarint(index, uint64(len(key)))
	index = append(index, key...)
	for _, n := range []int64{p.size, p.offset, p.length} {
		index = binary.LittleEndian.AppendUint64(index, uint64(n))
	}
	return binary.LittleEndian.AppendUint32(index, p.crc32)
}

// parsePlaces reads what appendPlace wrote.
func parsePlaces(index []byte) (map[string]place, bool) {
	places := map[string]place{}
	for len(index) > 0 {
		n, used := binary.Uvarint(index)
		if used <= 0 || n > uint64(len(index)-used) || len(index)-used-int(n) < placeSize {
			return nil, false
		}
		key, at := string(index[used:used+int(n)]), index[used+int(n):]
		p := place{
			size: int64(binary.LittleEndian.Uint64(at)), offset: int64(binary.LittleEndian.Uint64(at[8:])),
			length: int64(binary.LittleEndian.Uint64(at[16:])), crc32: binary.LittleEndian.Uint32(at[24:]),
		}
		if p.size < 0 || p.offset < 0 || p.length < 0 {
			return nil, false
		}
		places[key], index = p, at[placeSize:]
	}
	return places, true
}
