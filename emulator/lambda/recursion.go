package lambda

import (
	"cmp"
	"net/http"
)

// Recursive loops are what Lambda ends by itself unless a function allows them. The setting is kept and told; nothing here detects loops.

const endLoops = "Terminate"

func (s *Service) putRecursion(w http.ResponseWriter, r *http.Request, target string) error {
	var in struct{ RecursiveLoop *string }
	if err := readJSON(r, "PutFunctionRecursionConfig", &in); err != nil {
		return err
	}
	var c constraints
	c.required("recursiveLoop", in.RecursiveLoop != nil)
	if in.RecursiveLoop != nil {
		c.oneOf("recursiveLoop", *in.RecursiveLoop, endLoops, "Allow")
	}
	if err := c.err(); err != nil {
		return err
	}
	err := s.withoutQualifier(target, "", func(f *function) error {
		f.Loops = *in.RecursiveLoop
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"RecursiveLoop": *in.RecursiveLoop})
	return nil
}

func (s *Service) getRecursion(w http.ResponseWriter, _ *http.Request, target string) error {
	var loops string
	err := s.withoutQualifier(target, "", func(f *function) error {
		loops = cmp.Or(f.Loops, endLoops)
		return errUnchanged
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"RecursiveLoop": loops})
	return nil
}
