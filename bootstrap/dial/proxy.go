package dial

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Proxy is where https connections go through. The zero Proxy is none.
type Proxy struct {
	url    *url.URL // nil for none
	exempt []string // the entries of NO_PROXY
}

// ParseProxy reads HTTPS_PROXY and NO_PROXY, or the same in lower case. An error
// names the variable and repeats nothing of its value, which may hold a password.
func ParseProxy(vars map[string]string) (Proxy, error) {
	p := Proxy{exempt: strings.FieldsFunc(vars["no_proxy"]+","+vars["NO_PROXY"], func(r rune) bool { return r == ',' || r == ' ' })}
	var errs []error
	for _, name := range []string{"https_proxy", "HTTPS_PROXY"} {
		if vars[name] == "" {
			continue
		}
		u, err := parse(vars[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		p.url = u
	}
	return p, errors.Join(errs...)
}

// parse reads http://[USER:PASSWORD@]HOST[:PORT]; without a scheme it is one of
// http.
func parse(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" {
		return nil, errors.New("is no URL of the form http://HOST:PORT")
	}
	return u, nil
}

// serves says whether connections to host go through the proxy: there is one, and
// no entry of NO_PROXY is *, the host itself or a domain that it is in.
func (p Proxy) serves(host string) bool {
	if p.url == nil {
		return false
	}
	for _, entry := range p.exempt {
		entry = strings.ToLower(strings.TrimPrefix(entry, "."))
		if entry == "*" || entry == host || strings.HasSuffix(host, "."+entry) {
			return false
		}
	}
	return true
}
