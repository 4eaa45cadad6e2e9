package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/cache"
	"github.com/faas-lambda/faas-lambda/layers/press"
)

// What was compressed for one package is one blob of the cache. Its index says
// what is in it and where, and its name is a digest of the index: a blob of that
// name holds these contents at these places, whoever wrote it. Which blob holds
// a content is remembered as a fact.

// place is where a content lies in a blob, and what it is there.
type place struct {
	key      string
	original int64 // bytes of the content
	offset   int64 // of the DEFLATE stream in the blob
	size     int64 // of the DEFLATE stream
	crc      uint32
}

func factKey(key string) string { return "blob of " + press.Version + " " + key }

// blobName names the blob with that index.
func blobName(index []byte) string {
	sum := sha256.Sum256(append([]byte(press.Version+"\x00"), index...))
	return "moved-" + hex.EncodeToString(sum[:16])
}

func encodePlaces(list []place) []byte {
	b := binary.AppendUvarint(nil, uint64(len(list)))
	for _, p := range list {
		b = append(binary.AppendUvarint(b, uint64(len(p.key))), p.key...)
		for _, n := range []int64{p.original, p.offset, p.size, int64(p.crc)} {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b
}

// decodePlaces reads what encodePlaces wrote; ok is false when it makes no
// sense.
func decodePlaces(b []byte) (list []place, ok bool) {
	ok = true
	number := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || int64(v) < 0 {
			b, ok = nil, false
			return 0
		}
		b = b[n:]
		return int64(v)
	}
	for range number() {
		n := number()
		if !ok || n > int64(len(b)) {
			return nil, false
		}
		p := place{key: string(b[:n])}
		b = b[n:]
		p.original, p.offset, p.size, p.crc = number(), number(), number(), uint32(number())
		list = append(list, p)
	}
	return list, ok && len(b) == 0
}

// kept finds contents in the blobs of a cache. Each blob is opened once.
type kept struct {
	store *cache.Cache // nil when there is none
	blobs map[string]*keptBlob
}

// keptBlob is a blob that is open; a zero one was not there.
type keptBlob struct {
	file   *cache.Blob
	source *press.Source
	places map[string]place
}

// find returns an entry's content out of the cache, nil when it is not there.
func (k *kept) find(ctx context.Context, e layers.Entry) (*press.Content, error) {
	name := key(e.Content)
	if k.store == nil || name == "" {
		return nil, nil
	}
	fact, ok := k.store.Facts().Fact(factKey(name))
	if !ok {
		return nil, nil
	}
	blob, err := k.open(ctx, string(fact))
	if err != nil {
		return nil, err
	}
	p, ok := blob.places[name]
	if !ok || p.original != e.Size {
		return nil, nil
	}
	return &press.Content{Source: blob.source, Stream: press.Stream{Offset: p.offset, Size: p.size, CRC32: p.crc}}, nil
}

func (k *kept) open(ctx context.Context, name string) (*keptBlob, error) {
	if known, ok := k.blobs[name]; ok {
		return known, nil
	}
	b := &keptBlob{}
	file, err := k.store.Open(ctx, name)
	switch {
	case errors.Is(err, cache.ErrMiss):
		k.blobs[name] = b
		return b, nil
	case err != nil:
		return nil, err
	}
	b.file = file
	k.blobs[name] = b
	list, ok := decodePlaces(file.Index)
	if !ok || blobName(file.Index) != name {
		return b, nil // not what its name says
	}
	b.source = &press.Source{File: file}
	b.places = make(map[string]place, len(list))
	for _, p := range list {
		b.places[p.key] = p
	}
	return b, nil
}

// add makes a blob of a file that holds the contents of list, and remembers
// where each of them is once it is there for everybody.
func (k *kept) add(file *cache.Writer, list []place) error {
	index := encodePlaces(list)
	name := blobName(index)
	if err := file.Commit(name, index); err != nil {
		return err
	}
	for _, p := range list {
		k.store.Facts().Remember(factKey(p.key), []byte(name))
	}
	return nil
}

func (k *kept) close() error {
	var errs []error
	for _, b := range k.blobs {
		if b.file != nil {
			errs = append(errs, b.file.Close())
		}
	}
	return errors.Join(errs...)
}
