package s3

import (
	"crypto/md5"  // the ETag of an object is its MD5
	"crypto/sha1" // one of the checksums that clients may choose
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strings"
)

// nvme is the polynomial of CRC64NVME, reflected.
const nvme = 0x9a6c_9329_ac4b_c9b5

const checksumPrefix = "X-Amz-Checksum-"

// checksums that clients may send with an object, in a header or a trailer.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var checksums = map[string]func() hash.Hash{
	"Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(nvme)) },
	"Sha1":      sha1.New,
	"Sha256":    sha256.New,
}

// body is a request's payload: decoded, and checked at its end against every digest that came with it.
type body struct {
	in      io.Reader
	chunks  *chunkReader // nil for a plain body
	header  http.Header
	md5     hash.Hash
	payload hash.Hash // SHA-256; nil where the request does not tell it
	sum     hash.Hash // nil without a checksum
	name    string    // of the checksum's header
	size    int64
}

func newBody(r *http.Request) *body {
	b := &body{in: r.Body, header: r.Header, md5: md5.New()}
	declared := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case strings.HasPrefix(declared, "STREAMING-"):
		b.chunks = newChunkReader(r.Body)
		b.in = b.chunks
	case len(declared) == hex.EncodedLen(sha256.Size):
		b.payload = sha256.New()
	}
	trailer := http.CanonicalHeaderKey(r.Header.Get("X-Amz-Trailer"))
	for kind, make := range checksums {
		if name := checksumPrefix + kind; r.Header.Get(name) != "" || trailer == name {
			b.sum, b.name = make(), name
		}
	}
	return b
}

// Read returns the payload, and at its end the failure of any digest.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.size += int64(n)
	for _, h := range []hash.Hash{b.md5, b.payload, b.sum} {
		if h != nil {
			_, _ = h.Write(p[:n]) // a hash never fails
		}
	}
	if err == io.EOF {
		if refused := b.verify(); refused != nil {
			return n, refused
		}
	}
	return n, err
}

func (b *body) verify() *failure {
	if length := b.header.Get("X-Amz-Decoded-Content-Length"); b.chunks != nil && length != "" && length != decimal(b.size) {
		return refuse(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	if b.payload != nil && hex.EncodeToString(b.payload.Sum(nil)) != b.header.Get("X-Amz-Content-Sha256") {
		return refuse(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if given := b.header.Get("Content-Md5"); given != "" && given != base64.StdEncoding.EncodeToString(b.md5.Sum(nil)) {
		return badDigest("The Content-MD5 you specified did not match what we received.")
	}
	if given := b.checksumGiven(); given != "" && given != b.checksum() {
		return badDigest("The " + strings.ToUpper(strings.TrimPrefix(b.name, checksumPrefix)) + " you specified did not match the calculated checksum.")
	}
	return nil
}

func (b *body) checksumGiven() string {
	if b.name == "" {
		return ""
	}
	if given := b.header.Get(b.name); given != "" || b.chunks == nil {
		return given
	}
	return b.chunks.trailers.Get(b.name)
}

func (b *body) checksum() string {
	if b.sum == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b.sum.Sum(nil))
}

func (b *body) etag() string { return hex.EncodeToString(b.md5.Sum(nil)) }
