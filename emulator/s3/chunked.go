package s3

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxTrailers and maxChunkLine bound what may stand between and after the data.
const maxTrailers, maxChunkLine = 16, 4 << 10

var errChunks = errors.New("read aws-chunked body: malformed")

// chunkReader reads a body of the content encoding aws-chunked: sized chunks, signed or not, and trailers after the last.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
type chunkReader struct {
	in       *bufio.Reader
	left     int64 // of the current chunk
	begun    bool
	done     bool
	trailers http.Header
}

func newChunkReader(in io.Reader) *chunkReader {
	return &chunkReader{in: bufio.NewReaderSize(in, 64<<10), trailers: http.Header{}}
}

// Read returns the decoded bytes; after io.EOF trailers are there.
func (c *chunkReader) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err == io.EOF {
		err = fmt.Errorf("%w: it ends early", errChunks)
	}
	return n, err
}

// next reads up to the data of the next chunk.
func (c *chunkReader) next() error {
	if c.begun {
		if line, err := c.line(); err != nil || line != "" {
			return errors.Join(fmt.Errorf("%w: a chunk is longer than it says", errChunks), err)
		}
	}
	c.begun = true
	line, err := c.line()
	if err != nil {
		return err
	}
	digits, _, _ := strings.Cut(line, ";") // ;chunk-signature=... is not verified: the secret is not known
	size, err := strconv.ParseUint(digits, 16, 62)
	if err != nil {
		return fmt.Errorf("%w: chunk size %q", errChunks, digits)
	}
	c.left = int64(size)
	if size == 0 {
		c.done = true
		return c.readTrailers()
	}
	return nil
}

func (c *chunkReader) readTrailers() error {
	for range maxTrailers {
		line, err := c.line()
		if err == io.ErrUnexpectedEOF || err == nil && line == "" {
			return nil // some clients leave the last line break out
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("%w: trailer %q", errChunks, line)
		}
		c.trailers.Set(name, strings.TrimSpace(value))
	}
	return fmt.Errorf("%w: too many trailers", errChunks)
}

// line reads up to a line break. At the end of the body it returns io.ErrUnexpectedEOF.
func (c *chunkReader) line() (string, error) {
	var line []byte
	for {
		b, err := c.in.ReadByte()
		if err == io.EOF {
			return "", io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", fmt.Errorf("read aws-chunked body: %w", err)
		}
		if b == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if line = append(line, b); len(line) > maxChunkLine {
			return "", fmt.Errorf("%w: a line is too long", errChunks)
		}
	}
}
