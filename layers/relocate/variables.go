package relocate

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/faas-lambda/faas-lambda/layers"
)

// writable is the only directory of Lambda's that a function can write to.
const writable = "/tmp"

// variables are what makes up for paths that are compiled into interpreters and
// libraries: each is added when the image has what it names and does not set it
// itself. docs/relocation.md has the list with what was seen without them.
var variables = []struct {
	name   string
	reason string
	value  func(m *mover) string // empty when the image has nothing for it
}{
	{"SSL_CERT_FILE", "OpenSSL's and Go's certificates", (*mover).certificates},
	{"SSL_CERT_DIR", "OpenSSL's and Go's certificates", dirs("/etc/ssl/certs", "/etc/pki/tls/certs")},
	{"OPENSSL_CONF", "OpenSSL's configuration", files("/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf")},
	{"OPENSSL_MODULES", "OpenSSL's providers", multiarch("ossl-modules")},
	{"OPENSSL_ENGINES", "OpenSSL's engines", multiarch("engines-3")},
	{"TZDIR", "time zones", dirs("/usr/share/zoneinfo")},
	{"PYTHONTZPATH", "Python's time zones", (*mover).pythonZones},
	{"GCONV_PATH", "glibc's character sets", multiarch("gconv")},
	{"LOCPATH", "glibc's locales", (*mover).locales},
	{"TERMINFO_DIRS", "descriptions of terminals", allDirs("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")},
	{"MAGIC", "libmagic's database", files("/usr/lib/file/magic.mgc", "/usr/share/misc/magic.mgc")},
	{"XDG_DATA_DIRS", "shared data", (*mover).dataDirs},
	{"XDG_CONFIG_DIRS", "shared configuration", dirs("/etc/xdg")},
	{"FONTCONFIG_SYSROOT", "fonts", (*mover).fonts},
	{"GIT_EXEC_PATH", "git's commands", dirs("/usr/lib/git-core", "/usr/libexec/git-core")},
	{"GIT_TEMPLATE_DIR", "git's templates", dirs("/usr/share/git-core/templates")},
	{"PYTHONUSERBASE", "Python's packages in the image's home", (*mover).pythonUserBase},
	{"PERL5LIB", "Perl's library", (*mover).perlLibrary},
	{"RUBYLIB", "Ruby's library", (*mover).rubyLibrary},
	{"GEM_PATH", "Ruby's gems", (*mover).gems},
	{"PHPRC", "php.ini", (*mover).phpIni},
	{"PHP_INI_SCAN_DIR", "PHP's configuration and extensions", (*mover).phpScanDirs},
}

// addVariables appends what the image's programs need besides what it sets.
func (m *mover) addVariables(env []string) []string {
	if _, set := lookup(env, "HOME"); !set {
		env = append(env, "HOME="+writable)
		m.report.Env = append(m.report.Env, Variable{"HOME", writable, "the image's own cannot be written to"})
	}
	for _, v := range variables {
		if _, set := lookup(env, v.name); set && v.name != "PHP_INI_SCAN_DIR" {
			continue
		}
		value := v.value(m)
		if value == "" {
			continue
		}
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, v.name+"=") })
		env = append(env, v.name+"="+value)
		m.report.Env = append(m.report.Env, Variable{v.name, value, v.reason})
	}
	return env
}

// moved returns where a path of the image lies in the package.
func (m *mover) moved(p string) string { return path.Join(m.opts.Prefix, p) }

// has reports whether the image has a directory, or a file, at a path.
func (m *mover) has(p string, t layers.Type) bool {
	e, err := m.tree.Resolve(p)
	return err == nil && e.Type == t && !m.gone[e.Path]
}

// dirs is the first of some directories that the image has.
func dirs(list ...string) func(*mover) string { return firstOf(layers.Dir, list) }

// files is the first of some files that the image has.
func files(list ...string) func(*mover) string { return firstOf(layers.File, list) }

func firstOf(t layers.Type, list []string) func(*mover) string {
	return func(m *mover) string {
		for _, p := range list {
			if m.has(p, t) {
				return m.moved(p)
			}
		}
		return ""
	}
}

// allDirs is the list of those directories that the image has.
func allDirs(list ...string) func(*mover) string {
	return func(m *mover) string { return m.join(list) }
}

func (m *mover) join(list []string) string {
	var out []string
	for _, p := range list {
		if m.has(p, layers.Dir) && !slices.Contains(out, m.moved(p)) {
			out = append(out, m.moved(p))
		}
	}
	return strings.Join(out, ":")
}

// triplet is what Debian calls the processor's directories.
func (m *mover) triplet() string {
	if m.config.Arch == "arm64" {
		return "aarch64-linux-gnu"
	}
	return "x86_64-linux-gnu"
}

// multiarch is a directory where Debian, or else Fedora, has the libraries.
func multiarch(name string) func(*mover) string {
	return func(m *mover) string {
		return dirs("/usr/lib/"+m.triplet()+"/"+name, "/usr/lib64/"+name, "/usr/lib/"+name)(m)
	}
}

// glob returns the directories of the image that match a pattern, in order.
func (m *mover) glob(pattern string) []string {
	at := []string{"/"}
	for name := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		var next []string
		for _, dir := range at {
			if !strings.ContainsAny(name, "*[?") {
				if m.has(dir+"/"+name, layers.Dir) {
					next = append(next, path.Join(dir, name))
				}
				continue
			}
			real, err := m.tree.Resolve(dir)
			if err != nil || real.Type != layers.Dir {
				continue
			}
			for e := range m.children(real.Path) {
				if ok, err := path.Match(name, path.Base(e.Path)); err == nil && ok && m.has(path.Join(dir, path.Base(e.Path)), layers.Dir) {
					next = append(next, path.Join(dir, path.Base(e.Path)))
				}
			}
		}
		at = next
	}
	return at
}

func (m *mover) certificates() string {
	return files("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")(m)
}

// locales are the compiled locales when they are directories: LOCPATH knows no
// archive, and an archive alone stays out of reach.
func (m *mover) locales() string {
	if m.has("/usr/lib/locale/locale-archive", layers.File) {
		m.unmoved("usr/lib/locale/locale-archive", "glibc looks for it in the host's /usr/lib/locale; C.UTF-8 works without it")
	}
	if len(m.glob("/usr/lib/locale/*/LC_MESSAGES")) > 0 {
		return m.moved("/usr/lib/locale")
	}
	return ""
}

func (m *mover) dataDirs() string {
	for _, dir := range []string{"/usr/share/mime", "/usr/share/glib-2.0", "/usr/share/icons", "/usr/local/share/mime"} {
		if m.has(dir, layers.Dir) {
			return m.moved("/usr/local/share") + ":" + m.moved("/usr/share")
		}
	}
	return ""
}

func (m *mover) fonts() string {
	if m.has("/etc/fonts/fonts.conf", layers.File) {
		return m.opts.Prefix
	}
	return ""
}

// home is the home directory of the image's user: a container runtime sets HOME
// from the image's /etc/passwd.
func (m *mover) home() string {
	if home, ok := m.lookupEnv("HOME"); ok && strings.HasPrefix(home, "/") {
		return path.Clean(home)
	}
	user, _, _ := strings.Cut(m.config.User, ":")
	if user == "" {
		user = "0"
	}
	_, err := strconv.Atoi(user)
	field := 0
	if err == nil {
		field = 2
	}
	e, err := m.tree.Resolve("/etc/passwd")
	if err != nil || e.Type != layers.File {
		return "/root"
	}
	data, err := m.text(e)
	if err != nil {
		return "/root" // whatever cannot be read now fails where it is packed
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) > 5 && f[field] == user && strings.HasPrefix(f[5], "/") {
			return path.Clean(f[5])
		}
	}
	return "/root"
}

// splitLibraryPath takes out of the image's LD_LIBRARY_PATH what holds a C
// library: the host's programs would load it and end. The loader's own list has
// those directories first.
func (m *mover) splitLibraryPath() {
	value, ok := m.lookupEnv("LD_LIBRARY_PATH")
	if !ok {
		return
	}
	for dir := range strings.SplitSeq(value, ":") {
		if m.holdsLibc(dir) {
			m.libraryPath = append(m.libraryPath, path.Clean(dir))
		}
	}
}

func (m *mover) holdsLibc(dir string) bool {
	if !strings.HasPrefix(dir, "/") {
		return false
	}
	return m.has(dir+"/libc.so.6", layers.File)
}

// loaderVariable returns the value in the package of a variable that is meant
// for the loader; empty when it is taken out.
func (m *mover) loaderVariable(name, value string) string {
	glibc := slices.ContainsFunc(m.report.Loaders, func(l Loader) bool { return l.Kind == "glibc" })
	if name == "LD_PRELOAD" && glibc {
		m.report.Env = append(m.report.Env, Variable{name, "", "would reach the host's programs: the loader reads a file instead"})
		return ""
	}
	if name != "LD_LIBRARY_PATH" || !glibc {
		return m.value(value)
	}
	var kept []string
	for dir := range strings.SplitSeq(value, ":") {
		if dir != "" && !m.holdsLibc(dir) {
			kept = append(kept, m.path(dir))
		}
	}
	return strings.Join(kept, ":")
}
