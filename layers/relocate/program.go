package relocate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
	"github.com/faas-lambda/faas-lambda/layers/relocate/elfedit"
)

const (
	maxScripts = 5   // scripts run by scripts that Linux follows (fs/exec.c, exec_binprm)
	maxShebang = 255 // bytes of a script's first line that it reads (BINPRM_BUF_SIZE)
)

// find returns the program that a word of a command line names, as execvp would
// find it in the image.
func (m *mover) find(word string) (layers.Entry, error) {
	search, ok := m.lookupEnv("PATH")
	if !ok {
		search = imagePath
	}
	var candidates []string
	switch {
	case word == "":
	case strings.HasPrefix(word, "/"):
		candidates = []string{word}
	case strings.Contains(word, "/"):
		candidates = []string{m.workdir() + "/" + word}
	default:
		for dir := range strings.SplitSeq(search, ":") {
			if !strings.HasPrefix(dir, "/") {
				dir = m.workdir() + "/" + dir
			}
			candidates = append(candidates, dir+"/"+word)
		}
	}
	found := ""
	for _, c := range candidates {
		e, err := m.tree.Resolve(c)
		if err != nil || e.Type != layers.File {
			continue
		}
		if e.Mode&0o111 != 0 {
			return e, nil
		}
		found = c
	}
	if found != "" {
		return layers.Entry{}, fmt.Errorf("%w: %q: %s is not executable", ErrNoProgram, word, path.Clean(found))
	}
	return layers.Entry{}, fmt.Errorf("%w: %q, looked for in the directory %s with PATH=%s", ErrNoProgram, word, m.workdir(), search)
}

// checkProgram checks that the program a word names runs from the package, and
// so does what interprets it.
func (m *mover) checkProgram(word string) error {
	e, err := m.find(word)
	if err != nil {
		return err
	}
	return m.checkFile(e, maxScripts)
}

func (m *mover) checkFile(e layers.Entry, scripts int) error {
	first, err := head(e)
	if err != nil {
		return err
	}
	switch {
	case elfedit.IsELF(first):
		return m.checkELF(e)
	case isScript(first):
		if scripts == 0 {
			return fmt.Errorf("%w: /%s: too many scripts that run scripts", ErrFormat, e.Path)
		}
		return m.checkScript(e, first, scripts-1)
	}
	return fmt.Errorf("%w: /%s is neither an ELF file nor a script that names its interpreter", ErrFormat, e.Path)
}

// checkScript checks the interpreter in a script's first line, and what env is
// to run when the interpreter is env.
func (m *mover) checkScript(e layers.Entry, head []byte, scripts int) error {
	line, _, ok := bytes.Cut(head, []byte("\n"))
	if !ok && len(head) > maxShebang {
		return fmt.Errorf("%w: the first line of /%s is longer than %d bytes", ErrFormat, e.Path, maxShebang)
	}
	fields := strings.Fields(string(line[2:]))
	if len(fields) == 0 || !strings.HasPrefix(fields[0], "/") {
		return fmt.Errorf("%w: /%s names no interpreter", ErrFormat, e.Path)
	}
	programs := fields[:1]
	if path.Base(fields[0]) == "env" && len(fields) > 1 && !strings.HasPrefix(fields[1], "-") {
		programs = fields[:2]
	}
	for _, p := range programs {
		interpreter, err := m.find(p)
		if err == nil {
			err = m.checkFile(interpreter, scripts)
		}
		if err != nil {
			return fmt.Errorf("interpreter of /%s: %w", e.Path, err)
		}
	}
	if moved := m.shebang(line, fields[0]); len(moved) > maxShebang {
		return fmt.Errorf("%w: the first line of /%s is longer than %d bytes under %s", ErrFormat, e.Path, maxShebang, m.opts.Prefix)
	}
	return nil
}

func isScript(head []byte) bool { return bytes.HasPrefix(head, []byte("#!")) }

// shebang returns a script's first line with its interpreter moved.
func (m *mover) shebang(line []byte, interpreter string) string {
	return strings.Replace(string(line), interpreter, m.path(interpreter), 1)
}

// moveScript gives the package a copy of a script whose first line names the
// interpreter where it will lie, when the image brings it.
func (m *mover) moveScript(e layers.Entry, head []byte) {
	line, _, ended := bytes.Cut(head, []byte("\n"))
	fields := strings.Fields(string(line[2:]))
	if len(fields) == 0 || m.path(fields[0]) == fields[0] {
		return
	}
	moved := m.shebang(line, fields[0])
	if !ended && int64(len(head)) < e.Size || len(moved) > maxShebang {
		m.unmoved(e.Path, fmt.Sprintf("its first line is longer than the %d bytes that Linux reads", maxShebang))
		return
	}
	e.Content = newRewritten(moved, int64(len(line)), e.Content)
	e.Size += int64(len(moved) - len(line))
	m.changed[e.Path] = e
	m.report.Scripts = append(m.report.Scripts, e.Path)
}

// rewritten is content whose first bytes are others.
type rewritten struct {
	head string
	skip int64 // bytes of rest that head replaces
	rest layers.Content
	key  string
}

func newRewritten(head string, skip int64, rest layers.Content) rewritten {
	r := rewritten{head: head, skip: skip, rest: rest}
	if k, ok := rest.(layers.KeyedContent); ok && k.Key() != "" {
		r.key = fmt.Sprintf("head1:%d:%x:%s", skip, sha256.Sum256([]byte(head)), k.Key())
	}
	return r
}

// Key implements layers.KeyedContent.
func (r rewritten) Key() string { return r.key }

func (r rewritten) Open() (io.ReadCloser, error) {
	rest, err := r.rest.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, rest, r.skip); err != nil {
		return nil, errors.Join(fmt.Errorf("skip first line: %w", err), rest.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(r.head), rest), rest}, nil
}
