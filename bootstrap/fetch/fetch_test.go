package fetch

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://h/k?q=secret": true, "https://h:8443/k": true, "http://127.0.0.1:9000/k?secret": true, "http://[::1]/k": true, "http://localhost/": true,
		"http://h/k?secret": false, "http://10.0.0.1/?secret": false, "http://localhost.evil.example/?secret": false, "http://127.0.0.1.evil.example/?secret": false,
		"https:///k?secret": false, "https:k?secret": false, "ftp://127.0.0.1/?secret": false, "https://u:secret@h/": false, "https://%zz?secret": false, "": false,
	} {
		_, err := parse(address)
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// FuzzAddress checks that no error repeats a query, and that plain HTTP stays on
// this machine.
func FuzzAddress(f *testing.F) {
	f.Add("https://h/k")
	f.Add("http://127.0.0.1:9000/\x00")
	f.Add("http://[::1%25eth0]")
	f.Fuzz(func(t *testing.T, address string) {
		u, err := parse(address + "?X-Amz-Signature=secret")
		if err != nil && strings.Contains(err.Error(), "X-Amz-Signature") && !strings.Contains(address, "X-Amz") {
			t.Fatal(err)
		}
		if err == nil && u.Scheme != "https" && !loopback(u.Hostname()) {
			t.Fatalf("%q is let through", address)
		}
	})
}
