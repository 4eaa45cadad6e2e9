package watchdog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// heldLine is the longest line that is collected before it is written. A longer
// one is written in pieces, with its writer locked until it ends.
const heldLine = 1 << 20

// logs turns what the function prints into log lines of ours.
type logs struct {
	stdout, stderr *logWriter
}

// newLogs returns the writers of stdout and stderr in the form that cfg asks for.
func newLogs(cfg Config, opt Options) logs {
	format := func(name string) func([]byte) []byte {
		switch {
		case cfg.JSONLogs:
			return jsonFormat(name, opt.RequestID)
		case cfg.PrefixLogs:
			return prefixFormat(name)
		default:
			return nil
		}
	}
	return logs{
		stdout: &logWriter{out: opt.Stdout, format: format("stdout")},
		stderr: &logWriter{out: opt.Stderr, format: format("stderr")},
	}
}

// logWriter writes whole lines to out, never one inside another.
type logWriter struct {
	out    io.Writer
	format func(line []byte) []byte // of a line without its newline; nil: as it is

	mu sync.Mutex // held while a line is written
}

// follow copies r, the reading end of a pipe, until its last writer closes it. The
// channel is closed then.
func (w *logWriter) follow(r *os.File) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.copy(r) // reading a pipe fails only when it is closed
		closeFiles(r)
	}()
	return done
}

// copy writes r line by line until it ends. A last line without newline gets
// one. What cannot be written is dropped: the function must not be stopped by a
// broken log, so r is read on in any case.
func (w *logWriter) copy(r io.Reader) error {
	buf := make([]byte, 0, 4096)
	locked := false
	defer func() {
		if locked {
			w.mu.Unlock()
		}
	}()
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= heldLine {
				if !locked {
					w.mu.Lock()
					locked = true
					w.write(w.formatted(buf, false))
				} else {
					w.write(buf)
				}
				buf = buf[:0]
			} else {
				buf = append(make([]byte, 0, 2*cap(buf)), buf...)
			}
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if end := bytes.LastIndexByte(buf, '\n'); n > 0 && end >= 0 {
			w.lines(buf[:end+1], &locked)
			buf = append(buf[:0], buf[end+1:]...)
		}
		if err != nil {
			if len(buf) > 0 || locked {
				w.lines(append(buf, '\n'), &locked)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

// lines writes complete lines; when locked, the first is the end of one whose
// beginning has been written.
func (w *logWriter) lines(text []byte, locked *bool) {
	if *locked {
		end := bytes.IndexByte(text, '\n') + 1
		w.write(text[:end])
		text = text[end:]
		w.mu.Unlock()
		*locked = false
	}
	if len(text) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.format == nil {
		w.write(text)
		return
	}
	var out []byte
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n') + 1
		out = append(out, w.formatted(text[:end-1], true)...)
		text = text[end:]
	}
	w.write(out)
}

func (w *logWriter) formatted(line []byte, end bool) []byte {
	if w.format != nil {
		line = w.format(line)
	}
	if end {
		line = append(line[:len(line):len(line)], '\n')
	}
	return line
}

func (w *logWriter) write(p []byte) {
	// A log that cannot be written has nowhere to say so.
	_, _ = w.out.Write(p)
}

// prefixFormat is the form of prefix_logs: date, time, stream.
func prefixFormat(name string) func([]byte) []byte {
	return func(line []byte) []byte {
		out := make([]byte, 0, len(line)+32)
		out = time.Now().AppendFormat(out, "2006/01/02 15:04:05 ")
		out = append(out, name...)
		out = append(out, ": "...)
		return append(out, line...)
	}
}

// jsonFormat is Lambda's JSON log format: a line that is a JSON object already
// stays as it is, any other becomes the message of one. Of a line longer than
// heldLine only the beginning is wrapped.
func jsonFormat(name string, requestID func() string) func([]byte) []byte {
	level := map[string]string{"stdout": "INFO", "stderr": "ERROR"}[name]
	return func(line []byte) []byte {
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(trimmed) {
			return line
		}
		entry := struct {
			Time    string `json:"timestamp"`
			Level   string `json:"level"`
			Message string `json:"message"`
			ID      string `json:"requestId,omitempty"`
		}{time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), level, string(line), ""}
		if requestID != nil {
			entry.ID = requestID()
		}
		out, err := json.Marshal(entry)
		if err != nil { // strings always marshal
			return line
		}
		return out
	}
}
