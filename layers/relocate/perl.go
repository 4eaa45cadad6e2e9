package relocate

// perlLibrary is @INC as Debian, and as perl's own build, compile it in.
func (m *mover) perlLibrary() string {
	var list []string
	for _, pattern := range []string{
		"/etc/perl", "/usr/local/lib/" + m.triplet() + "/perl/*", "/usr/local/share/perl/*",
		"/usr/lib/" + m.triplet() + "/perl5/*", "/usr/share/perl5", "/usr/lib/" + m.triplet() + "/perl-base",
		"/usr/lib/" + m.triplet() + "/perl/*", "/usr/share/perl/*",
		"/usr/local/lib/perl5/site_perl/*/*-linux*", "/usr/local/lib/perl5/site_perl/*", "/usr/local/lib/perl5/*/*-linux*", "/usr/local/lib/perl5/*",
		"/usr/lib/perl5/vendor_perl", "/usr/lib/perl5/core_perl", "/usr/share/perl5/vendor_perl", "/usr/share/perl5/core_perl",
	} {
		list = append(list, m.glob(pattern)...)
	}
	if len(m.glob("/usr/lib/"+m.triplet()+"/perl-base")) > 0 && len(list) > 0 || len(m.glob("/usr/local/lib/perl5/*")) > 0 || len(m.glob("/usr/lib/perl5/core_perl")) > 0 {
		return m.join(list)
	}
	return ""
}
