package relocate

import "strings"

// rubyLibrary is $LOAD_PATH as Debian, and as ruby's own build, compile it in.
func (m *mover) rubyLibrary() string {
	var list []string
	for _, base := range []string{"/usr/local/lib/ruby", "/usr/lib/ruby"} {
		for _, pattern := range []string{
			"/site_ruby/[0-9]*", "/site_ruby/[0-9]*/*-linux*", "/site_ruby", "/vendor_ruby/[0-9]*", "/vendor_ruby/[0-9]*/*-linux*", "/vendor_ruby", "/[0-9]*", "/[0-9]*/*-linux*",
		} {
			list = append(list, m.glob(base+pattern)...)
			if base == "/usr/lib/ruby" && strings.HasPrefix(pattern, "/vendor_ruby/[0-9]*") && !strings.HasSuffix(pattern, "linux*") {
				list = append(list, m.glob("/usr/lib/"+m.triplet()+"/ruby/vendor_ruby/[0-9]*")...)
			}
		}
	}
	list = append(list, m.glob("/usr/lib/"+m.triplet()+"/ruby/[0-9]*")...)
	return m.join(list)
}

func (m *mover) gems() string {
	if m.rubyLibrary() == "" {
		return ""
	}
	var list []string
	for _, pattern := range []string{
		"/usr/local/bundle", "/var/lib/gems/[0-9]*", "/usr/local/lib/ruby/gems/[0-9]*", "/usr/lib/ruby/gems/[0-9]*",
		"/usr/lib/" + m.triplet() + "/ruby/gems/[0-9]*", "/usr/lib/" + m.triplet() + "/rubygems-integration/[0-9]*", "/usr/share/rubygems-integration/[0-9]*", "/usr/share/rubygems-integration/all",
		m.home() + "/.gem/ruby/[0-9]*", m.home() + "/.local/share/gem/ruby/[0-9]*",
	} {
		list = append(list, m.glob(pattern)...)
	}
	return m.join(list)
}
