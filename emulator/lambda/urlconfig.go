package lambda

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// functionURL is the URL of a function, or of an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionUrlConfig.html
type functionURL struct {
	ID                string // the first label of the domain on AWS
	AuthType          string
	InvokeMode        string
	Cors              *cors `json:",omitempty"`
	Created, Modified time.Time
	Port              int // of loopback; 0 until it is served
}

type cors struct {
	AllowCredentials bool     `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowOrigins     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"`
}

const (
	authNone     = "NONE"
	authIAM      = "AWS_IAM"
	modeBuffered = "BUFFERED"
	modeStream   = "RESPONSE_STREAM"
)

// urlQualifierPattern is of aliases; Go has no lookahead, so what it forbids is asked for apart.
const urlQualifierPattern = `((?!^\d+$)^[0-9a-zA-Z-_]+$)`

var urlQualifierRegexp = regexp.MustCompile(`^[0-9a-zA-Z-_]*[a-zA-Z-_][0-9a-zA-Z-_]*$`)

// urlTarget reads what the URL belongs to.
func (s *Service) urlTarget(r *http.Request, target string) (ref, error) {
	qualifier := r.URL.Query().Get("Qualifier")
	if qualifier != "" {
		var c constraints
		c.pattern("qualifier", qualifier, urlQualifierRegexp, urlQualifierPattern)
		if err := c.err(); err != nil {
			return ref{}, err
		}
	}
	return s.named(target, qualifier)
}

// urlRequest is what CreateFunctionUrlConfig and UpdateFunctionUrlConfig say.
type urlRequest struct {
	AuthType   *string
	InvokeMode *string
	Cors       *cors
}

func (in *urlRequest) check() error {
	var c constraints
	if in.AuthType != nil {
		c.oneOf("authType", *in.AuthType, authNone, authIAM)
	}
	if in.InvokeMode != nil {
		c.oneOf("invokeMode", *in.InvokeMode, modeStream, modeBuffered)
	}
	if in.Cors != nil {
		c.between("cors.maxAge", &in.Cors.MaxAge, 0, 86400)
	}
	return c.err()
}

func (in *urlRequest) apply(u *functionURL) {
	set(&u.AuthType, in.AuthType)
	set(&u.InvokeMode, in.InvokeMode)
	if in.Cors != nil {
		u.Cors = in.Cors
	}
}

func noFunction() error { return notFound("Function does not exist") }

// editURL changes the URL of a qualifier. missing is the error where there is no such function or alias.
func (s *Service) editURL(q ref, missing func() error, change func(f *function, old *functionURL) (*functionURL, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil || f.find(q.qualifier) == nil {
		return missing()
	}
	return s.replace(f, func(f *function) error {
		u, err := change(f, f.Attached[policyKey(q.qualifier)].URL)
		if err == nil {
			f.attach(policyKey(q.qualifier), func(a *attachments) { a.URL = u })
		}
		return err
	})
}

func (s *Service) createURL(w http.ResponseWriter, r *http.Request, target string) error {
	var in urlRequest
	if err := readJSON(r, "CreateFunctionUrlConfig", &in); err != nil {
		return err
	}
	var c constraints
	c.required("authType", in.AuthType != nil)
	if err := c.err(); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	q, err := s.urlTarget(r, target)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	u := &functionURL{ID: strings.ReplaceAll(wire.NewID(), "-", ""), InvokeMode: modeBuffered, Created: now, Modified: now}
	in.apply(u)
	listener, err := s.urls.open(q, u) // before it is told: it answers at once
	if err != nil {
		return err
	}
	err = s.editURL(q, noFunction, func(_ *function, old *functionURL) (*functionURL, error) {
		if old != nil {
			return nil, conflict("Failed to create function url config for [functionArn = %s]. Error message:  FunctionUrlConfig exists for this "+
				"Lambda function", s.qualifiedARN(q.name, q.qualifier))
		}
		return u, nil
	})
	if err != nil {
		s.urls.discard(listener)
		return err
	}
	if !s.serveURL(q, listener) {
		s.urls.discard(listener)
	}
	out := s.urlDocument(q, u, in.InvokeMode != nil)
	delete(out, "LastModifiedTime")
	writeJSON(w, http.StatusCreated, out)
	return nil
}

// urlDocument is what the API tells of a URL. Create and Update tell the mode only where it was asked for (recorded).
func (s *Service) urlDocument(q ref, u *functionURL, mode bool) map[string]any {
	const form = "2006-01-02T15:04:05.000000Z"
	out := map[string]any{
		"FunctionUrl": u.address(), "FunctionArn": s.qualifiedARN(q.name, q.qualifier), "AuthType": u.AuthType,
		"CreationTime": u.Created.Format(form), "LastModifiedTime": u.Modified.Format(form),
	}
	if u.Cors != nil {
		out["Cors"] = u.Cors
	}
	if mode {
		out["InvokeMode"] = u.InvokeMode
	}
	return out
}

func (s *Service) getURL(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.urlTarget(r, target)
	if err != nil {
		return err
	}
	u := s.attachedTo(q).URL
	if u == nil {
		return noResource()
	}
	writeJSON(w, http.StatusOK, s.urlDocument(q, u, true))
	return nil
}

func (s *Service) updateURL(w http.ResponseWriter, r *http.Request, target string) error {
	var in urlRequest
	if err := readJSON(r, "UpdateFunctionUrlConfig", &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	q, err := s.urlTarget(r, target)
	if err != nil {
		return err
	}
	var changed functionURL
	err = s.editURL(q, noFunction, func(_ *function, old *functionURL) (*functionURL, error) {
		if old == nil {
			return nil, noResource()
		}
		changed = *old
		in.apply(&changed)
		changed.Modified = time.Now().UTC()
		return &changed, nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.urlDocument(q, &changed, in.InvokeMode != nil))
	return nil
}

func (s *Service) deleteURL(w http.ResponseWriter, r *http.Request, target string) error {
	q, err := s.urlTarget(r, target)
	if err != nil {
		return err
	}
	err = s.editURL(q, noResource, func(_ *function, old *functionURL) (*functionURL, error) {
		if old == nil {
			return nil, noResource()
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	s.closeURLs(q.name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listURLs(w http.ResponseWriter, r *http.Request, target string) error {
	missing := func(ref) error { return noFunction() }
	return s.listOf(r, target, missing, func(f *function, p page) {
		f.writeAttached(w, p, "FunctionUrlConfigs", func(a attachments) bool { return a.URL != nil }, func(qualifier string, a attachments) any {
			return s.urlDocument(ref{name: f.Config.FunctionName, qualifier: strings.TrimPrefix(qualifier, latest)}, a.URL, true)
		})
	})
}
