package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	timestamp = "20060102T150405Z"
)

// sign adds X-Amz-Date, X-Amz-Security-Token and Authorization to a request that
// has no query. Every header that the request has is signed, and Host.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func sign(r *http.Request, body []byte, c credentials, region, service string, now time.Time) {
	date := now.UTC().Format(timestamp)
	r.Header.Set("X-Amz-Date", date)
	if c.token != "" {
		r.Header.Set("X-Amz-Security-Token", c.token)
	}
	headers, signed := canonicalHeaders(r)
	request := strings.Join([]string{r.Method, escapePath(r.URL.EscapedPath()), "", headers, signed, hexSum(body)}, "\n")
	scope := date[:8] + "/" + region + "/" + service + "/aws4_request"
	text := strings.Join([]string{algorithm, date, scope, hexSum([]byte(request))}, "\n")
	key := []byte("AWS4" + c.key)
	for _, part := range []string{date[:8], region, service, "aws4_request", text} {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+c.id+"/"+scope+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(key))
}

// canonicalHeaders returns the lines of the headers and the list of their names.
func canonicalHeaders(r *http.Request) (lines, names string) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	values := map[string]string{"host": host}
	for name, v := range r.Header {
		trimmed := make([]string, len(v))
		for i := range v {
			trimmed[i] = oneSpaced(v[i])
		}
		values[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	sorted := slices.Sorted(maps.Keys(values))
	var b strings.Builder
	for _, name := range sorted {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return b.String(), strings.Join(sorted, ";")
}

// oneSpaced trims s and makes one space of several.
func oneSpaced(s string) string {
	for s = strings.Trim(s, " "); strings.Contains(s, "  "); {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

// escapePath escapes a path that is escaped already once more, as every service
// but S3 wants it.
func escapePath(path string) string {
	if path == "" {
		return "/"
	}
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("/-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String()
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
