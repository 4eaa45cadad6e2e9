package lambda

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// urls serves function URLs: each at a port of its own on loopback, as each has a domain of its own on AWS.
type urls struct {
	mu     sync.Mutex           // guards served
	served map[string]*urlEntry // by the URL's ID
}

// urlEntry is one that is served.
type urlEntry struct {
	id       string
	name     string // of the function
	listener net.Listener
	server   *http.Server
}

// address is the URL itself.
func (u *functionURL) address() string { return "http://127.0.0.1:" + strconv.Itoa(u.Port) + "/" }

// open takes the port of a URL, a free one where it has none or where somebody else took it meanwhile, and writes it into u.
func (urls *urls) open(q ref, u *functionURL) (*urlEntry, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(u.Port))
	if err != nil && u.Port != 0 {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("serve URL of function %s: %w", q.name, err)
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok {
		u.Port = at.Port
	}
	return &urlEntry{id: u.ID, name: q.name, listener: listener}, nil
}

// discard gives a port back that was never served.
func (urls *urls) discard(e *urlEntry) { _ = e.listener.Close() } // nothing was sent

// serveURL answers requests of a URL until it is closed. It reports false when the server is closing.
func (s *Service) serveURL(q ref, e *urlEntry) bool {
	e.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answerURL(w, r, q, e.id) }),
		ReadHeaderTimeout: time.Minute,
	}
	s.urls.mu.Lock()
	s.urls.served[e.id] = e
	s.urls.mu.Unlock()
	return s.background(func() {
		if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
			s.opts.Logger.Error("function URL is not served any more", "function", q.name, "error", err)
		}
	})
}

// closeURLs ends the URLs of a function that it has no more. Requests under way are cut off.
func (s *Service) closeURLs(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	has := map[string]bool{}
	if f := s.functions[name]; f != nil {
		for _, a := range f.Attached {
			if a.URL != nil {
				has[a.URL.ID] = true
			}
		}
	}
	s.urls.mu.Lock()
	defer s.urls.mu.Unlock()
	for id, e := range s.urls.served {
		if e.name == name && !has[id] {
			_ = e.server.Close() // it is not to be used any more
			delete(s.urls.served, id)
		}
	}
}

// close ends all of them.
func (urls *urls) close() {
	urls.mu.Lock()
	defer urls.mu.Unlock()
	for _, e := range urls.served {
		_ = e.server.Close() // the program ends
	}
}

// openURLs serves the URLs that the last program had.
func (s *Service) openURLs() error {
	s.urls.served = map[string]*urlEntry{}
	for name, f := range s.functions {
		for qualifier, a := range f.Attached {
			if a.URL == nil {
				continue
			}
			q := ref{name: name}
			if qualifier != latest {
				q.qualifier = qualifier
			}
			u := *a.URL
			e, err := s.urls.open(q, &u)
			if err != nil {
				return err
			}
			if err := s.editURL(q, noFunction, func(*function, *functionURL) (*functionURL, error) { return &u, nil }); err != nil {
				s.urls.discard(e)
				return err
			}
			s.serveURL(q, e)
		}
	}
	return nil
}
