package dial

import (
	"strings"
	"testing"
)

func TestProxyServes(t *testing.T) {
	for _, c := range []struct {
		noProxy, host string
		want          bool
	}{
		{"", "h.example.com", true}, {"*", "h.example.com", false}, {"example.com", "h.example.com", false}, {".example.com", "h.example.com", false},
		{"ample.com", "h.example.com", true}, {"a, H.example.com", "h.example.com", false}, {"x.h.example.com", "h.example.com", true},
	} {
		p, err := ParseProxy(map[string]string{"HTTPS_PROXY": "proxy:1", "NO_PROXY": c.noProxy})
		if err != nil || p.serves(c.host) != c.want {
			t.Errorf("%q %q: not %v, %v", c.noProxy, c.host, c.want, err)
		}
	}
	if (Proxy{}).serves("h") {
		t.Error("no proxy serves a host")
	}
}

func TestProxyThatIsNone(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		for _, value := range []string{"socks5://u:hidden@h", "http://", "http://u:hidden@%zz"} {
			_, err := ParseProxy(map[string]string{name: value})
			if err == nil || !strings.HasPrefix(err.Error(), name+": is no URL") || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}
