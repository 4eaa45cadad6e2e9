package lambda

import (
	"net/http"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// minUnreserved is what reserved concurrency must leave to the functions that have none.
const minUnreserved = 100

// reserved is the sum of all reserved concurrency but that of one function. The caller holds s.mu.
func (s *Service) reserved(except string) int {
	sum := 0
	for name, f := range s.functions {
		if f.Reserved != nil && name != except {
			sum += *f.Reserved
		}
	}
	return sum
}

// withoutQualifier edits the function of a concurrency operation. detail is appended to the ARN of a function that is not there.
func (s *Service) withoutQualifier(target, detail string, change func(f *function) error) error {
	r, err := s.named(target, "")
	if err != nil {
		return err
	}
	if r.qualifier != "" {
		return invalidParameter("This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. " +
			"Please specify either a function name or an unqualified function ARN.")
	}
	r.qualifier = detail
	return s.edit(r, change)
}

func (s *Service) putConcurrency(w http.ResponseWriter, r *http.Request, target string) error {
	var in struct{ ReservedConcurrentExecutions *int }
	if err := readJSON(r, "PutFunctionConcurrency", &in); err != nil {
		return err
	}
	var c constraints
	c.required("reservedConcurrentExecutions", in.ReservedConcurrentExecutions != nil)
	c.between("reservedConcurrentExecutions", in.ReservedConcurrentExecutions, 0, 1<<30)
	if err := c.err(); err != nil {
		return err
	}
	wanted := *in.ReservedConcurrentExecutions
	err := s.withoutQualifier(target, latest, func(f *function) error {
		// A function may always be switched off; else an account with a limit below the minimum could do nothing.
		if wanted > 0 && s.opts.Concurrency-s.reserved(f.Config.FunctionName)-wanted < minUnreserved {
			refused := invalidParameter("Specified ReservedConcurrentExecutions for function decreases account's "+
				"UnreservedConcurrentExecution below its minimum value of [%d].", minUnreserved)
			refused.plain = true
			return refused
		}
		f.Reserved = &wanted
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]int{"ReservedConcurrentExecutions": wanted})
	return nil
}

func (s *Service) getConcurrency(w http.ResponseWriter, _ *http.Request, target string) error {
	out := map[string]int{}
	err := s.withoutQualifier(target, "", func(f *function) error {
		if f.Reserved != nil {
			out["ReservedConcurrentExecutions"] = *f.Reserved
		}
		return errUnchanged
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Service) deleteConcurrency(w http.ResponseWriter, _ *http.Request, target string) error {
	err := s.withoutQualifier(target, latest, func(f *function) error {
		f.Reserved = nil
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// totalCodeSize is the account's quota of code.
const totalCodeSize = 80_530_636_800

func (s *Service) accountSettings(w http.ResponseWriter, _ *http.Request, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var size int64
	for _, f := range s.functions {
		for _, v := range f.versions() {
			size += v.Config.CodeSize
		}
	}
	size += s.layers.size()
	writeJSON(w, http.StatusOK, map[string]any{
		"AccountLimit": map[string]int64{
			"TotalCodeSize":                  totalCodeSize,
			"CodeSizeUnzipped":               sandbox.MaxUnpacked,
			"CodeSizeZipped":                 maxZip,
			"ConcurrentExecutions":           int64(s.opts.Concurrency),
			"UnreservedConcurrentExecutions": int64(s.opts.Concurrency - s.reserved("")),
		},
		"AccountUsage": map[string]int64{"TotalCodeSize": size, "FunctionCount": int64(len(s.functions))},
	})
	return nil
}
