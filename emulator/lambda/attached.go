package lambda

import (
	"maps"
	"net/http"
	"slices"
)

// attachedTo returns what is attached to a function or a qualifier of it: nothing where there is no such function.
func (s *Service) attachedTo(q ref) attachments {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.functions[q.name]; f != nil {
		return f.Attached[policyKey(q.qualifier)]
	}
	return attachments{}
}

// listOf answers a request for what a function has several of. write cuts the page out and writes it; the caller of write holds mu. missing words
// the error for a function that is not there.
func (s *Service) listOf(r *http.Request, target string, missing func(ref) error, write func(f *function, p page)) error {
	q, err := s.named(target, "")
	if err != nil {
		return err
	}
	p, err := readPage(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[q.name]
	if f == nil {
		return missing(ref{name: q.name})
	}
	write(f, p)
	return nil
}

// writeAttached writes a page of what is attached to a function's qualifiers, $LATEST first.
func (f *function) writeAttached(w http.ResponseWriter, p page, member string, has func(attachments) bool, document func(qualifier string, a attachments) any) {
	var qualifiers []string
	for _, qualifier := range slices.Sorted(maps.Keys(f.Attached)) {
		if has(f.Attached[qualifier]) {
			qualifiers = append(qualifiers, qualifier)
		}
	}
	qualifiers, next := cut(qualifiers, p, func(q string) string { return q })
	items := make([]any, len(qualifiers))
	for i, qualifier := range qualifiers {
		items[i] = document(qualifier, f.Attached[qualifier])
	}
	writePage(w, member, items, next)
}
