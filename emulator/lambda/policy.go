package lambda

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// policy is a resource-based policy: of a layer version, or of one qualifier of a function. What is kept is replaced, never changed in place.
type policy struct {
	RevisionID string
	Statements []statement
}

// statement is one of a policy. Its members come in AWS's order.
type statement struct {
	Sid       string
	Effect    string
	Principal any // "*", {"AWS": ...} or {"Service": ...}
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// document is the policy as GetPolicy answers it.
func (p *policy) document() (string, error) {
	data, err := json.Marshal(struct {
		Version   string
		Id        string
		Statement []statement
	}{"2012-10-17", "default", p.Statements})
	if err != nil {
		return "", fmt.Errorf("encode policy: %w", err)
	}
	return string(data), nil
}

// with returns the policy with one more statement. p may be nil.
func (p *policy) with(s statement) (*policy, error) {
	if p == nil {
		p = &policy{}
	}
	if p.find(s.Sid) >= 0 {
		return nil, conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing "+
			"statement.", s.Sid)
	}
	return &policy{RevisionID: wire.NewID(), Statements: append(slices.Clone(p.Statements), s)}, nil
}

// without returns the policy without a statement, nil when none is left.
func (p *policy) without(sid string) (*policy, error) {
	i := -1
	if p != nil {
		i = p.find(sid)
	}
	switch {
	case i < 0:
		return nil, notFound("Statement %s is not found in resource policy.", sid)
	case len(p.Statements) == 1:
		return nil, nil
	}
	return &policy{RevisionID: wire.NewID(), Statements: slices.Delete(slices.Clone(p.Statements), i, i+1)}, nil
}

func (p *policy) find(sid string) int {
	return slices.IndexFunc(p.Statements, func(s statement) bool { return s.Sid == sid })
}

func (p *policy) write(w http.ResponseWriter) error {
	document, err := p.document()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"Policy": document, "RevisionId": p.RevisionID})
	return nil
}

// writeStatement answers what has been added to a policy; revision may be empty.
func writeStatement(w http.ResponseWriter, added statement, revision string) error {
	data, err := json.Marshal(added)
	if err != nil {
		return fmt.Errorf("encode statement: %w", err)
	}
	out := map[string]string{"Statement": string(data)}
	if revision != "" {
		out["RevisionId"] = revision
	}
	writeJSON(w, http.StatusCreated, out)
	return nil
}
