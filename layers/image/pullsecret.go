package image

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxSecret bounds a file of credentials: Kubernetes keeps secrets of 1 MiB.
const maxSecret = 1 << 20

// secretFiles are the names that Kubernetes gives the data of secrets of the
// types dockerconfigjson and dockercfg when they are mounted.
var secretFiles = []string{".dockerconfigjson", ".dockercfg"}

// secretEntry is one registry's entry in a secret.
type secretEntry struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

// pullSecret looks for a repository's credentials in an imagePullSecret: a file
// in one of Kubernetes's forms, or the directory at which such a secret, or
// several below it, are mounted.
func pullSecret(place, repository string) (Login, error) {
	files, err := secretPaths(place)
	if err != nil {
		return Login{}, err
	}
	for _, file := range files {
		data, err := readSecret(file)
		if err != nil {
			return Login{}, err
		}
		entries, err := parseSecret(data)
		if err != nil {
			return Login{}, fmt.Errorf("read pull secret %s: %w", file, err) // never with what is in it
		}
		if found := findEntry(entries, repository); found != (Login{}) {
			return found, nil
		}
	}
	return Login{}, nil
}

func secretPaths(place string) ([]string, error) {
	info, err := os.Stat(place)
	if err != nil {
		return nil, fmt.Errorf("read pull secret: %w", err)
	}
	if !info.IsDir() {
		return []string{place}, nil
	}
	var found []string
	for _, name := range secretFiles {
		for _, pattern := range []string{name, "*/" + name} {
			more, err := filepath.Glob(filepath.Join(place, pattern))
			if err != nil {
				return nil, fmt.Errorf("read pull secrets in %s: %w", place, err)
			}
			found = append(found, more...)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("read pull secrets in %s: %w: neither %s is there", place, fs.ErrNotExist, strings.Join(secretFiles, " nor "))
	}
	return found, nil
}

func readSecret(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read pull secret: %w", err)
	}
	if info.Size() > maxSecret {
		return nil, fmt.Errorf("read pull secret %s: it has more than %d bytes", file, maxSecret)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read pull secret: %w", err)
	}
	return data, nil
}

// parseSecret reads both of Kubernetes's forms: with "auths" around the entries,
// and the older one without.
func parseSecret(data []byte) (map[string]secretEntry, error) {
	var file struct {
		Auths map[string]secretEntry `json:"auths"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, errors.New("it is not JSON of the form {\"auths\":{\"registry\":{\"auth\":…}}}")
	}
	if file.Auths != nil {
		return file.Auths, nil
	}
	old := map[string]secretEntry{}
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, errors.New("it is neither of the form {\"auths\":{\"registry\":{\"auth\":…}}} nor {\"registry\":{\"auth\":…}}")
	}
	return old, nil
}

// findEntry returns the credentials of the entry that fits a repository most
// closely, as Kubernetes chooses ("Images", section "Interpretation of
// config.json"): a host, which may have * within its parts, and the beginning
// of a path.
func findEntry(entries map[string]secretEntry, repository string) Login {
	keys := make([]string, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	slices.SortStableFunc(keys, func(a, b string) int { return len(b) - len(a) })
	for _, key := range keys {
		if fits(key, repository) {
			if found := entries[key].login(); found != (Login{}) {
				return found
			}
		}
	}
	return Login{}
}

func (e secretEntry) login() Login {
	c := Login{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken}
	if decoded, err := base64.StdEncoding.DecodeString(e.Auth); err == nil {
		if user, password, ok := strings.Cut(string(decoded), ":"); ok {
			c.Username, c.Password = user, strings.TrimRight(password, "\x00")
		}
	}
	return c
}

// fits reports whether a key is about a repository, host/path.
func fits(key, repository string) bool {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, prefix, _ := strings.Cut(strings.TrimSuffix(key, "/"), "/")
	if prefix == "v1" || prefix == "v2" { // of the API's address, as docker login wrote it
		prefix = ""
	}
	wanted, rest, _ := strings.Cut(repository, "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	pattern, name := strings.Split(host, "."), strings.Split(wanted, ".")
	if len(pattern) != len(name) {
		return false
	}
	for i := range pattern {
		if ok, err := path.Match(pattern[i], name[i]); err != nil || !ok {
			return false
		}
	}
	return prefix == "" || rest == prefix || strings.HasPrefix(rest, prefix+"/")
}
