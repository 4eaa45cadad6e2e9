package relocate

import (
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// textRules are the configuration files whose lines are paths that programs need
// to run at all. Everything else that names paths stays as it is.
var textRules = []struct {
	match func(p string) bool
	line  func(m *mover, line string) string
}{
	// A virtual environment of Python: where the interpreter lies (PEP 405).
	{func(p string) bool { return path.Base(p) == "pyvenv.cfg" }, (*mover).settingLine},
	// Directories that Python adds to its path (module site).
	{func(p string) bool { return strings.HasSuffix(p, ".pth") && strings.Contains(p, "-packages/") }, (*mover).pathLine},
	// php.ini and what it includes: extensions, certificates.
	{func(p string) bool {
		return strings.HasSuffix(p, ".ini") && (strings.HasPrefix(p, "etc/php") || strings.HasPrefix(p, "usr/local/etc/php/"))
	}, (*mover).settingLine},
}

// moveText moves the paths in a configuration file that is known.
func (m *mover) moveText(e layers.Entry) error {
	for _, rule := range textRules {
		if !rule.match(e.Path) {
			continue
		}
		data, err := m.text(e)
		if err != nil || data == nil {
			return err
		}
		var out strings.Builder
		for line := range strings.Lines(string(data)) {
			body := strings.TrimRight(line, "\r\n")
			out.WriteString(rule.line(m, body) + line[len(body):])
		}
		if out.String() == string(data) {
			return nil
		}
		e.Content, e.Size = generated(out.String()), int64(out.Len())
		m.changed[e.Path] = e
		m.report.Texts = append(m.report.Texts, e.Path)
		return nil
	}
	return nil
}

// pathLine moves a line that is a path.
func (m *mover) pathLine(line string) string { return m.path(line) }

// settingLine moves the value of "name = value".
func (m *mover) settingLine(line string) string {
	name, value, ok := strings.Cut(line, "=")
	if !ok || strings.HasPrefix(strings.TrimSpace(name), ";") || strings.HasPrefix(strings.TrimSpace(name), "#") {
		return line
	}
	inner := strings.Trim(value, " \t\"'")
	if inner == "" {
		return line
	}
	return name + "=" + strings.Replace(value, inner, m.value(inner), 1)
}
