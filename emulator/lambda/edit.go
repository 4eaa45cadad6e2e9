package lambda

import "errors"

// errUnchanged is what a change returns to leave a function as it is.
var errUnchanged = errors.New("nothing changed")

// edit runs change on a copy of a function, and puts the copy in place once it is saved. A function is never changed otherwise, so that one that
// has been read stays as it was.
func (s *Service) edit(q ref, change func(f *function) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil {
		return s.missing(q)
	}
	return s.replace(f, change)
}

// replace is edit for a caller who holds s.mu.
func (s *Service) replace(f *function, change func(f *function) error) error {
	changed := f.copy()
	err := change(changed)
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.store.save(changed); err != nil {
		return err
	}
	s.functions[changed.Config.FunctionName] = changed
	return nil
}

// unqualified reads the name of an operation on $LATEST.
func (s *Service) unqualified(target string) (ref, error) {
	q, err := s.named(target, "")
	if err != nil {
		return ref{}, err
	}
	if q.qualifier != "" && q.qualifier != latest {
		return ref{}, s.missing(q)
	}
	q.qualifier = ""
	return q, nil
}
