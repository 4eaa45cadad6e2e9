package relocate

import (
	"path"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// phpDir is the directory, below the prefix, of what PHP is told about where its
// extensions lie.
const phpDir = ".moved/php"

// phpIni is the directory of php.ini: PHP's own builds compile in
// /usr/local/etc/php, Debian's /etc/php/VERSION/cli, Alpine's /etc/phpVERSION.
func (m *mover) phpIni() string {
	for _, pattern := range []string{"/usr/local/etc/php", "/etc/php/[0-9]*/cli", "/etc/php/[0-9]*/cgi", "/etc/php/[0-9]*/fpm", "/etc/php[0-9]*"} {
		for _, dir := range m.glob(pattern) {
			if m.has(dir+"/php.ini", layers.File) || m.has(dir+"/conf.d", layers.Dir) {
				return m.moved(dir)
			}
		}
	}
	return ""
}

// phpScanDirs is where PHP looks for more configuration: first what is said here,
// so that the image's own word is the last.
func (m *mover) phpScanDirs() string {
	var extensions []string
	for _, pattern := range []string{"/usr/local/lib/php/extensions/*", "/usr/lib/php/[0-9]*", "/usr/lib/php[0-9]*/modules", "/usr/lib64/php/modules"} {
		extensions = append(extensions, m.glob(pattern)...)
	}
	ini := m.phpIni()
	if len(extensions) == 0 && ini == "" {
		return ""
	}
	var text strings.Builder
	for _, dir := range extensions {
		if m.holdsModules(dir) {
			text.WriteString("extension_dir=\"" + m.moved(dir) + "\"\n")
			break
		}
	}
	if certificates := m.certificates(); certificates != "" {
		text.WriteString("openssl.cafile=\"" + certificates + "\"\ncurl.cainfo=\"" + certificates + "\"\n")
	}
	for _, dir := range []string{"/usr/share/php", "/usr/local/lib/php"} {
		if m.has(dir, layers.Dir) {
			text.WriteString("include_path=\".:" + m.moved(dir) + "\"\n")
			break
		}
	}
	text.WriteString("session.save_path=\"" + writable + "\"\n")
	if err := m.add(phpDir+"/moved.ini", []byte(text.String())); err != nil {
		m.failed = err
		return ""
	}
	for _, dir := range []string{path.Dir(phpDir), phpDir} {
		m.changed[dir] = layers.Entry{Path: dir, Type: layers.Dir, Mode: 0o755}
	}
	scan := m.moved(phpDir)
	if set, ok := m.lookupEnv("PHP_INI_SCAN_DIR"); ok {
		for dir := range strings.SplitSeq(set, ":") {
			if dir == "" {
				dir = m.phpConfD(ini)
			} else {
				dir = m.path(dir)
			}
			scan += ":" + dir
		}
		return scan
	}
	return strings.TrimSuffix(scan+":"+m.phpConfD(ini), ":")
}

// phpConfD is the directory beside php.ini that PHP scans unless told otherwise.
func (m *mover) phpConfD(ini string) string {
	if dir := strings.TrimPrefix(ini, m.opts.Prefix) + "/conf.d"; ini != "" && m.has(dir, layers.Dir) {
		return m.moved(dir)
	}
	return ""
}

func (m *mover) holdsModules(dir string) bool {
	real, err := m.tree.Resolve(dir)
	if err != nil {
		return false
	}
	for e := range m.children(real.Path) {
		if strings.HasSuffix(e.Path, ".so") {
			return true
		}
	}
	return false
}
