package faults

import (
	"io"
	"net/http"
	"time"
)

// Serve answers a call by next, unless a fault is for it.
func (s *Set) Serve(w http.ResponseWriter, r *http.Request, c Call, next http.Handler, refuse Refuse) {
	f := s.strike(c, false)
	if f == nil {
		next.ServeHTTP(w, r)
		return
	}
	if f.After {
		next.ServeHTTP(&lost{header: http.Header{}}, r)
	} else if f.Kind != Slow {
		_, _ = io.Copy(io.Discard, r.Body) // else the client may see a broken pipe instead
	}
	if f.Then != nil {
		f.Then()
	}
	switch f.Kind {
	case Cut:
		cut(w)
	case Slow:
		timer := time.NewTimer(time.Duration(f.Delay))
		defer timer.Stop()
		select {
		case <-timer.C:
			next.ServeHTTP(w, r)
		case <-r.Context().Done(): // the client is gone
		}
	default:
		refuse(w, r, c, f.refusal())
	}
}

// cut ends the connection without a word.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2: the stream is reset
	}
	_ = conn.Close()
}

// lost is the answer of a call whose client never gets it.
type lost struct{ header http.Header }

func (l *lost) Header() http.Header       { return l.header }
func (*lost) WriteHeader(int)             {}
func (*lost) Write(p []byte) (int, error) { return len(p), nil }
func (*lost) Flush()                      {}
