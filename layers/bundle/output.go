package bundle

import (
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"
)

// outputBuffer is how much is written at a time, and outputBuffers how many such
// pieces may be on their way.
const (
	outputBuffer  = 512 << 10
	outputBuffers = 6
)

// output writes what comes to a writer and to a hash, both on goroutines of
// their own: they are what a package that is all in the cache costs.
type output struct {
	free   chan []byte
	pieces chan []byte // to be hashed, then written
	hashed chan []byte // to be written
	at     []byte      // being filled
	n      int64
	sum    hash.Hash
	done   errgroup.Group
	failed chan struct{} // closed when writing failed
	err    error         // of writing; set before failed is closed
}

func newOutput(w io.Writer) *output {
	o := &output{
		free: make(chan []byte, outputBuffers), pieces: make(chan []byte, outputBuffers), hashed: make(chan []byte, outputBuffers),
		sum: sha256.New(), failed: make(chan struct{}),
	}
	for range outputBuffers {
		o.free <- nil
	}
	o.done.Go(func() error {
		defer close(o.hashed)
		for p := range o.pieces {
			o.sum.Write(p)
			o.hashed <- p
		}
		return nil
	})
	o.done.Go(func() error {
		for p := range o.hashed {
			if o.err == nil {
				if _, err := w.Write(p); err != nil {
					o.err = err
					close(o.failed)
				}
			}
			o.free <- p
		}
		return o.err
	})
	return o
}

// Write takes p. Its error may be that of an earlier piece.
func (o *output) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if err := o.room(); err != nil {
			return 0, err
		}
		n := copy(o.at[len(o.at):cap(o.at)], p)
		o.at, p = o.at[:len(o.at)+n], p[n:]
		o.n += int64(n)
	}
	return total, nil
}

// ReadFrom takes everything from r, without a copy in between.
func (o *output) ReadFrom(r io.Reader) (int64, error) {
	total := int64(0)
	for {
		if err := o.room(); err != nil {
			return total, err
		}
		n, err := r.Read(o.at[len(o.at):cap(o.at)])
		o.at = o.at[:len(o.at)+n]
		o.n += int64(n)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// room makes sure that there is some in the piece that is being filled.
func (o *output) room() error {
	if len(o.at) < cap(o.at) {
		return nil
	}
	select {
	case <-o.failed:
		return o.err
	default:
	}
	if o.at != nil {
		o.pieces <- o.at
	}
	if o.at = <-o.free; o.at == nil {
		o.at = make([]byte, 0, outputBuffer)
	}
	o.at = o.at[:0]
	return nil
}

// close waits until all is written. It must be called once.
func (o *output) close() error {
	if len(o.at) > 0 {
		o.pieces <- o.at
	}
	o.at = nil
	close(o.pieces)
	return o.done.Wait()
}

// sha256 is valid after close.
func (o *output) sha256() string { return base64.StdEncoding.EncodeToString(o.sum.Sum(nil)) }
