package lambda

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"
)

func (s *settings) variables() (map[string]string, error) {
	if s.Environment == nil {
		return nil, nil
	}
	return s.Environment.variables()
}

// apply takes over what the request gives; variables are those of its environment, if it has one.
func (f *version) apply(in *settings, variables map[string]string) {
	c := &f.Config
	set(&c.Role, in.Role)
	set(&c.Handler, in.Handler)
	set(&c.Description, in.Description)
	set(&c.Timeout, in.Timeout)
	set(&c.MemorySize, in.MemorySize)
	set(&c.KMSKeyArn, in.KMSKeyArn)
	set(&c.TracingConfig, in.TracingConfig)
	set(&c.EphemeralStorage, in.EphemeralStorage)
	if in.Environment != nil {
		c.Environment = &environment{Variables: variables}
	}
	if in.ImageConfig != nil {
		c.ImageConfigResponse = &imageConfigResponse{in.ImageConfig}
		if in.ImageConfig.empty() {
			c.ImageConfigResponse = nil
		}
	}
	if in.Runtime != nil {
		c.Runtime = *in.Runtime
		region := strings.Split(c.FunctionArn, ":")[3]
		id := sha256.Sum256([]byte(c.Runtime))
		c.RuntimeVersionConfig = &runtimeVersion{RuntimeVersionArn: fmt.Sprintf("arn:aws:lambda:%s::runtime:%x", region, id)}
	}
	if in.DeadLetterConfig != nil {
		c.DeadLetterConfig = in.DeadLetterConfig
		if in.DeadLetterConfig.TargetArn == "" {
			c.DeadLetterConfig = nil
		}
	}
	if in.SnapStart != nil {
		c.SnapStart.ApplyOn = in.SnapStart.ApplyOn
	}
	if in.LoggingConfig != nil {
		c.LoggingConfig.apply(in.LoggingConfig)
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// apply knows that only JSON logs have levels, INFO by default (recorded from the real service).
func (l *logging) apply(in *logging) {
	if in.LogGroup != "" {
		l.LogGroup = in.LogGroup
	}
	if in.LogFormat != "" {
		l.LogFormat = in.LogFormat
	}
	if l.LogFormat != "JSON" {
		l.ApplicationLogLevel, l.SystemLogLevel = "", ""
		return
	}
	for _, level := range []struct {
		to   *string
		from string
	}{{&l.ApplicationLogLevel, in.ApplicationLogLevel}, {&l.SystemLogLevel, in.SystemLogLevel}} {
		if level.from != "" {
			*level.to = level.from
		} else if *level.to == "" {
			*level.to = "INFO"
		}
	}
}

func (s *Service) updateCode(w http.ResponseWriter, r *http.Request, target string) error {
	var in updateCodeRequest
	if err := readJSON(r, "UpdateFunctionCode", &in); err != nil {
		return err
	}
	var c constraints
	checkArchitectures(&c, in.Architectures)
	if err := c.err(); err != nil {
		return err
	}
	if err := s.updatable(target, in.RevisionId, func(f *function) error {
		return checkPackage(f.Config.PackageType, &in.codeSource, nil, true)
	}); err != nil { // before its code is read, and again when it takes the place of the old
		return err
	}
	zip, err := s.takeCode(r.Context(), &in.codeSource)
	if err != nil {
		return err
	}
	defer zip.release()
	return s.change(w, target, in.RevisionId, func(f *function) (configuration, error) {
		if len(in.Architectures) > 0 {
			f.Config.Architectures = in.Architectures
		}
		f.adopt(zip)
		if err := f.fits(); err != nil {
			return configuration{}, err
		}
		if in.DryRun {
			return f.Config, errUnchanged
		}
		f.unsettle(time.Now())
		if !in.Publish {
			return f.Config, nil
		}
		v := f.number()
		v.Config.created()
		return v.Config, nil
	})
}

// updatable says why a function cannot be changed now, or by this request.
func (s *Service) updatable(target, revision string, check func(*function) error) error {
	q, err := s.unqualified(target)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil {
		return s.missing(q)
	}
	if err := f.updatable(revision); err != nil {
		return err
	}
	return check(f)
}

func (s *Service) updateConfiguration(w http.ResponseWriter, r *http.Request, target string) error {
	var in updateConfigRequest
	if err := readJSON(r, "UpdateFunctionConfiguration", &in); err != nil {
		return err
	}
	var c constraints
	in.model(&c)
	if err := c.err(); err != nil {
		return err
	}
	return s.change(w, target, in.RevisionId, func(f *function) (configuration, error) {
		if err := in.service(); err != nil {
			return configuration{}, err
		}
		if err := checkPackage(f.Config.PackageType, nil, &in.settings, true); err != nil {
			return configuration{}, err
		}
		variables, err := in.variables()
		if err != nil {
			return configuration{}, err
		}
		f.apply(&in.settings, variables)
		if in.Layers != nil {
			if err := s.stack(f, in.Layers); err != nil {
				return configuration{}, err
			}
		}
		f.unsettle(time.Now())
		return f.Config, nil
	})
}

// change runs an update of $LATEST and lets what comes of it settle. It answers with what update returns.
func (s *Service) change(w http.ResponseWriter, target, revision string, update func(*function) (configuration, error)) error {
	q, err := s.unqualified(target)
	if err != nil {
		return err
	}
	var out configuration
	err = s.edit(q, func(f *function) (err error) {
		if err := f.updatable(revision); err != nil {
			return err
		}
		if out, err = update(f); err == nil {
			s.settleLater(q.name, f.Change)
		}
		return err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}
