package lambda

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/keep"
)

// Code signing configurations are kept, told and attached to functions. Signatures of code are not verified here: every zip is taken.

// signingConfig is one as it is kept and told.
type signingConfig struct {
	CodeSigningConfigId  string //nolint:revive // AWS's name of it
	CodeSigningConfigArn string
	Description          string
	AllowedPublishers    publishers
	CodeSigningPolicies  signingPolicies
	LastModified         string
}

type publishers struct{ SigningProfileVersionArns []string }

type signingPolicies struct{ UntrustedArtifactOnDeployment string }

// signingRequest is what CreateCodeSigningConfig and UpdateCodeSigningConfig say; nil means not given.
type signingRequest struct {
	Description         *string
	AllowedPublishers   *publishers
	CodeSigningPolicies *signingPolicies
}

func (in *signingRequest) check(c *constraints) {
	if in.Description != nil {
		c.length("description", *in.Description, 0, maxDescription)
	}
	if p := in.CodeSigningPolicies; p != nil && p.UntrustedArtifactOnDeployment != "" {
		c.oneOf("codeSigningPolicies.untrustedArtifactOnDeployment", p.UntrustedArtifactOnDeployment, "Warn", "Enforce")
	}
}

func openSigning(dir string) (*keep.Documents[signingConfig], error) {
	return keep.OpenDocuments(filepath.Join(dir, "signing"), func(c *signingConfig) string { return c.CodeSigningConfigArn })
}

// unsigned is the error for a configuration that is not there.
func unsigned(arn string) error {
	refused := notFound("The Lambda code signing configuration %s can not be found.", arn)
	refused.plain = true
	return refused
}

func (s *Service) createSigning(w http.ResponseWriter, r *http.Request, _ string) error {
	var in signingRequest
	if err := readJSON(r, "CreateCodeSigningConfig", &in); err != nil {
		return err
	}
	var c constraints
	c.required("allowedPublishers", in.AllowedPublishers != nil)
	in.check(&c)
	if err := c.err(); err != nil {
		return err
	}
	var random [9]byte
	_, _ = rand.Read(random[:]) // it never fails
	id := "csc-" + hex.EncodeToString(random[:])[:17]
	config := signingConfig{
		CodeSigningConfigId: id, CodeSigningConfigArn: fmt.Sprintf("arn:aws:lambda:%s:%s:code-signing-config:%s", s.opts.Region, s.opts.Account, id),
		CodeSigningPolicies: signingPolicies{"Warn"},
	}
	s.signing.Lock()
	defer s.signing.Unlock()
	return s.writeSigning(w, http.StatusCreated, config.with(in))
}

// with returns the configuration as a request changes it.
func (c signingConfig) with(in signingRequest) *signingConfig {
	set(&c.Description, in.Description)
	set(&c.AllowedPublishers, in.AllowedPublishers)
	if in.CodeSigningPolicies != nil {
		c.CodeSigningPolicies.UntrustedArtifactOnDeployment = cmp.Or(in.CodeSigningPolicies.UntrustedArtifactOnDeployment, "Warn")
	}
	c.LastModified = timestamp(time.Now())
	return &c
}

// writeSigning keeps a configuration and answers with it. The caller holds the lock of s.signing.
func (s *Service) writeSigning(w http.ResponseWriter, status int, c *signingConfig) error {
	if err := s.signing.Put(c.CodeSigningConfigArn, c); err != nil {
		return err
	}
	writeJSON(w, status, map[string]any{"CodeSigningConfig": c})
	return nil
}

func (s *Service) updateSigning(w http.ResponseWriter, r *http.Request, arn string) error {
	var in signingRequest
	if err := readJSON(r, "UpdateCodeSigningConfig", &in); err != nil {
		return err
	}
	var c constraints
	in.check(&c)
	if err := c.err(); err != nil {
		return err
	}
	s.signing.Lock()
	defer s.signing.Unlock()
	config := s.signing.All[arn]
	if config == nil {
		return unsigned(arn)
	}
	return s.writeSigning(w, http.StatusOK, config.with(in))
}

func (s *Service) signingOf(arn string) *signingConfig {
	s.signing.Lock()
	defer s.signing.Unlock()
	return s.signing.All[arn]
}

func (s *Service) getSigning(w http.ResponseWriter, _ *http.Request, arn string) error {
	config := s.signingOf(arn)
	if config == nil {
		return unsigned(arn)
	}
	writeJSON(w, http.StatusOK, map[string]any{"CodeSigningConfig": config})
	return nil
}

func (s *Service) listSigning(w http.ResponseWriter, r *http.Request, _ string) error {
	p, err := readPage(r)
	if err != nil {
		return err
	}
	s.signing.Lock()
	list := make([]*signingConfig, 0, len(s.signing.All))
	for _, arn := range slices.Sorted(maps.Keys(s.signing.All)) {
		list = append(list, s.signing.All[arn])
	}
	s.signing.Unlock()
	list, next := cut(list, p, func(c *signingConfig) string { return c.CodeSigningConfigArn })
	writePage(w, "CodeSigningConfigs", list, next)
	return nil
}

// deleteSigning refuses a configuration that functions have.
func (s *Service) deleteSigning(w http.ResponseWriter, _ *http.Request, arn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signing.Lock()
	defer s.signing.Unlock()
	if s.signing.All[arn] == nil {
		return unsigned(arn)
	}
	if users := s.signed(arn); len(users) > 0 {
		return conflict("Code signing config %s is in use by %d functions.", arn, len(users))
	}
	if err := s.signing.Remove(arn); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// signed are the ARNs of the functions that have a configuration. The caller holds s.mu.
func (s *Service) signed(arn string) []string {
	list := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		if s.functions[name].Signing == arn {
			list = append(list, s.arn(name))
		}
	}
	return list
}

func (s *Service) listSigned(w http.ResponseWriter, r *http.Request, arn string) error {
	p, err := readPage(r)
	if err != nil {
		return err
	}
	if s.signingOf(arn) == nil {
		return unsigned(arn)
	}
	s.mu.Lock()
	list := s.signed(arn)
	s.mu.Unlock()
	list, next := cut(list, p, func(arn string) string { return arn })
	writePage(w, "FunctionArns", list, next)
	return nil
}

func (s *Service) putFunctionSigning(w http.ResponseWriter, r *http.Request, target string) error {
	var in struct{ CodeSigningConfigArn string }
	if err := readJSON(r, "PutFunctionCodeSigningConfig", &in); err != nil {
		return err
	}
	if s.signingOf(in.CodeSigningConfigArn) == nil {
		return &apiError{status: http.StatusNotFound, code: "CodeSigningConfigNotFoundException", message: "The code signing configuration cannot be " +
			"found. Check that the provided configuration is not deleted: " + in.CodeSigningConfigArn + "."}
	}
	return s.functionSigning(w, target, func(f *function) error {
		f.Signing = in.CodeSigningConfigArn
		return nil
	})
}

func (s *Service) getFunctionSigning(w http.ResponseWriter, _ *http.Request, target string) error {
	return s.functionSigning(w, target, func(*function) error { return errUnchanged })
}

// functionSigning changes what signing a function has, and answers with it; with nothing where it has none (AWS).
func (s *Service) functionSigning(w http.ResponseWriter, target string, change func(*function) error) error {
	out := map[string]string{}
	err := s.withoutQualifier(target, "", func(f *function) error {
		err := change(f)
		if f.Signing != "" {
			out["CodeSigningConfigArn"], out["FunctionName"] = f.Signing, f.Config.FunctionName
		}
		return err
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Service) deleteFunctionSigning(w http.ResponseWriter, _ *http.Request, target string) error {
	err := s.withoutQualifier(target, "", func(f *function) error {
		f.Signing = ""
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
