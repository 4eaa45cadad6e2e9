package relocate

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
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

// checkProgram checks that the program a word names runs from the package. The
// interpreter of a script is moved with it.
func (m *mover) checkProgram(word string) error {
	e, err := m.find(word)
	if err != nil {
		return err
	}
	return m.checkFile(e, maxScripts)
}

func (m *mover) checkFile(e layers.Entry, scripts int) error {
	head, err := readRange(e, 0, maxShebang+1)
	if err != nil {
		return err
	}
	switch {
	case isELF(head):
		return checkELF(e, m.config.Arch)
	case bytes.HasPrefix(head, []byte("#!")):
		if scripts == 0 {
			return fmt.Errorf("%w: /%s: too many scripts that run scripts", ErrFormat, e.Path)
		}
		return m.checkScript(e, head, scripts-1)
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
	return m.moveShebang(e, line, fields[0])
}

// moveShebang gives the package a copy of the script whose first line names the
// interpreter where it will lie.
func (m *mover) moveShebang(e layers.Entry, line []byte, interpreter string) error {
	moved := strings.Replace(string(line), interpreter, m.path(interpreter), 1)
	if len(moved) > maxShebang {
		return fmt.Errorf("%w: the first line of /%s is longer than %d bytes under %s", ErrFormat, e.Path, maxShebang, m.opts.Prefix)
	}
	e.Content = rewritten{head: moved, skip: int64(len(line)), rest: e.Content}
	e.Size += int64(len(moved) - len(line))
	m.changed[e.Path] = e
	return nil
}

// rewritten is content whose first bytes are others.
type rewritten struct {
	head string
	skip int64 // bytes of rest that head replaces
	rest layers.Content
}

func (r rewritten) Open() (io.ReadCloser, error) {
	rest, err := r.rest.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, rest, r.skip); err != nil {
		return nil, fmt.Errorf("skip first line: %w", err)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(r.head), rest), rest}, nil
}
